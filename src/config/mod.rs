//! Configuration: files, environment and flags in layers, checked as a whole before anything starts.
//!
//! Later layers win: built-in defaults, `/etc/hrvd/hrvd.toml`, `conf.d/*.toml` beside it by name, the environment
//! (`HRVD__MQTT__HOST`), flags. `[[athlete]]` and `[[strap]]` of all files add up. Reference: `docs/configuration.md`.

mod build;
mod error;
mod load;
mod model;
mod number;
mod overlay;
mod raw;
mod read;
mod roster;
mod schema;
mod secret;
mod value;

pub use build::credential_beside;
pub use error::{ConfigError, Origin, Problem, Severity, SourceFile};
pub use load::{DEFAULT_FILE, Loaded, Override, Request, Setting, Surroundings, load, variable_of};
pub use model::{AthleteConfig, Bluetooth, ClientCertificate, Config, Gateway, Mqtt, Store, StrapConfig, Tls};
pub use schema::known_keys;
pub use secret::{PasswordFile, Secret, SecretError};
pub use value::slug_of;
