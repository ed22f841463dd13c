//! Shared by the integration tests.
#![allow(dead_code, unreachable_pub, unused_imports)]

pub mod bluez;
