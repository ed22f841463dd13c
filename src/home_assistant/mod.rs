//! What a Home Assistant needs beside discovery: a dashboard, blueprints, and what its recorder can leave out. Pure:
//! from the roster and the table of entities to text. Ids come out of the discovery payloads themselves, so nothing here
//! can name an entity that is not announced.

mod blueprints;
mod dashboard;
mod home;
mod recorder;
mod words;
mod yaml;

pub use blueprints::blueprints;
pub use dashboard::dashboard;
pub use home::{Device, Entity, Home, Person};
pub use recorder::recorder;
pub use yaml::yaml;

/// A file for Home Assistant's configuration folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Path below the folder.
    pub path: String,
    /// Content.
    pub text: String,
}
