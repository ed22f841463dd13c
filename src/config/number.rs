//! Values that are plain numbers in the file.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};
use std::fmt;

/// A TCP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port(pub(super) u16);

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct PortVisitor;
        impl Visitor<'_> for PortVisitor {
            type Value = Port;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port number without quotes, such as 1883")
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Port, E> {
                match u16::try_from(n) {
                    Ok(port) if port > 0 => Ok(Port(port)),
                    _ => Err(E::custom(format!("the port {n} is out of range: 1 to 65535"))),
                }
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Port, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }
        }
        from.deserialize_any(PortVisitor)
    }
}

impl Serialize for Port {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(self.0)
    }
}

/// A heart rate between `MIN` and `MAX` beats a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bpm<const MIN: u16, const MAX: u16>(pub(super) u16);

impl<'de, const MIN: u16, const MAX: u16> Deserialize<'de> for Bpm<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct BpmVisitor<const MIN: u16, const MAX: u16>;
        impl<const MIN: u16, const MAX: u16> Visitor<'_> for BpmVisitor<MIN, MAX> {
            type Value = Bpm<MIN, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "beats a minute without quotes, from {MIN} to {MAX}")
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Self::Value, E> {
                match u16::try_from(n) {
                    Ok(n) if (MIN..=MAX).contains(&n) => Ok(Bpm(n)),
                    _ => Err(E::custom(format!("{n} beats a minute is out of range: {MIN} to {MAX}"))),
                }
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }
        }
        from.deserialize_any(BpmVisitor)
    }
}

impl<const MIN: u16, const MAX: u16> Serialize for Bpm<MIN, MAX> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u16(self.0)
    }
}

/// A whole number between `MIN` and `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count<const MIN: u32, const MAX: u32>(pub(super) u32);

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct CountVisitor<const MIN: u32, const MAX: u32>;
        impl<const MIN: u32, const MAX: u32> Visitor<'_> for CountVisitor<MIN, MAX> {
            type Value = Count<MIN, MAX>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number without quotes, from {MIN} to {MAX}")
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Self::Value, E> {
                match u32::try_from(n) {
                    Ok(n) if (MIN..=MAX).contains(&n) => Ok(Count(n)),
                    _ => Err(E::custom(format!("{n} is out of range: {MIN} to {MAX}"))),
                }
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
                self.visit_i64(i64::try_from(n).unwrap_or(i64::MAX))
            }
        }
        from.deserialize_any(CountVisitor)
    }
}

impl<const MIN: u32, const MAX: u32> Serialize for Count<MIN, MAX> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(self.0)
    }
}
