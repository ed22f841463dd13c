//! The nouns of the field as types: time since boot, RR intervals in strap ticks, straps and athletes.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Monotonic time: microseconds since the machine booted. Never compared across boots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

impl Mono {
    /// From microseconds since boot.
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }
    /// From whole seconds since boot; for tests and simulations.
    pub const fn from_secs(s: u64) -> Self {
        Self(s * 1_000_000)
    }
    /// Microseconds since boot.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
    /// Seconds since boot.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// Time passed since `earlier`; zero if `earlier` lies ahead.
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
    /// Signed difference `self - other` in microseconds.
    pub fn diff_micros(self, other: Mono) -> i64 {
        self.0 as i64 - other.0 as i64
    }
    /// This instant moved by a signed number of microseconds, saturating at boot.
    pub fn offset_micros(self, us: i64) -> Mono {
        Mono(self.0.saturating_add_signed(us))
    }
}

impl Add<Duration> for Mono {
    type Output = Mono;
    fn add(self, d: Duration) -> Mono {
        Mono(self.0.saturating_add(d.as_micros() as u64))
    }
}

impl Sub<Duration> for Mono {
    type Output = Mono;
    fn sub(self, d: Duration) -> Mono {
        Mono(self.0.saturating_sub(d.as_micros() as u64))
    }
}

/// The moment an input is handled: monotonic always, wall clock only when it can be trusted
/// (a Raspberry Pi has no clock chip and starts in the past).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since boot.
    pub mono: Mono,
    /// Wall clock, if synchronised.
    pub wall: Option<jiff::Timestamp>,
}

/// One RR interval as the strap sends it: 1/1024 s (Heart Rate Service 1.0). Kept as ticks; ms only at the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RrTicks(pub u16);

impl RrTicks {
    /// Milliseconds, unrounded.
    pub fn as_ms(self) -> f64 {
        f64::from(self.0) * 1000.0 / 1024.0
    }
    /// Microseconds, rounded to nearest.
    pub const fn as_micros(self) -> u64 {
        (self.0 as u64 * 1_000_000 + 512) / 1024
    }
    /// The nearest tick count for an interval in ms; `None` if it does not fit 16 bits or is not positive.
    pub fn from_ms(ms: f64) -> Option<Self> {
        let ticks = (ms * 1024.0 / 1000.0).round();
        (1.0..65535.0).contains(&ticks).then_some(Self(ticks as u16))
    }
}

/// A strap, by its Bluetooth address (straps use public or static random addresses, which do not change).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrapId(pub [u8; 6]);

impl StrapId {
    /// The id as used in topics, file names and unique ids: twelve lower-case hex digits.
    pub fn slug(self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl fmt::Display for StrapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

impl fmt::Debug for StrapId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a Bluetooth address.
    #[error("'{0}' is not a Bluetooth address such as A0:9E:1A:9F:6E:53")]
    Address(String),
    /// Not a slug.
    #[error("'{0}' is not a short name: 1 to 32 of a-z, 0-9, _ and -, starting with a letter or digit")]
    Slug(String),
}

impl FromStr for StrapId {
    type Err = IdError;
    /// Accepts `A0:9E:1A:9F:6E:53`, with `-` or nothing between the pairs, in either case.
    fn from_str(s: &str) -> Result<Self, IdError> {
        let bad = || IdError::Address(s.to_owned());
        let hex: Vec<u8> = s.bytes().filter(|b| *b != b':' && *b != b'-').collect();
        if hex.len() != 12 || !hex.iter().all(u8::is_ascii_hexdigit) {
            return Err(bad());
        }
        let mut out = [0u8; 6];
        for (o, pair) in out.iter_mut().zip(hex.chunks(2)) {
            let text = std::str::from_utf8(pair).map_err(|_| bad())?;
            *o = u8::from_str_radix(text, 16).map_err(|_| bad())?;
        }
        Ok(Self(out))
    }
}

/// A person, by the short name that the owner chose. It appears in topics; nothing else about the person does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AthleteId(Arc<str>);

impl AthleteId {
    /// The short name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AthleteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AthleteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AthleteId {
    type Err = IdError;
    fn from_str(s: &str) -> Result<Self, IdError> {
        let ok = (1..=32).contains(&s.len())
            && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
            && s.as_bytes()[0].is_ascii_alphanumeric();
        if ok { Ok(Self(s.into())) } else { Err(IdError::Slug(s.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_parse_in_every_common_form() {
        let id = StrapId([0xa0, 0x9e, 0x1a, 0x9f, 0x6e, 0x53]);
        for text in ["A0:9E:1A:9F:6E:53", "a0-9e-1a-9f-6e-53", "a09e1a9f6e53"] {
            assert_eq!(text.parse(), Ok(id), "{text}");
        }
        assert_eq!(id.to_string(), "A0:9E:1A:9F:6E:53");
        assert_eq!(id.slug(), "a09e1a9f6e53");
        for text in ["", "A0:9E", "zz9e1a9f6e53", "A0:9E:1A:9F:6E:53:00", "héllo wörld"] {
            assert!(text.parse::<StrapId>().is_err(), "{text}");
        }
    }

    #[test]
    fn slugs_are_topic_safe() {
        for ok in ["alex", "a", "kid-2", "0_x"] {
            assert!(ok.parse::<AthleteId>().is_ok(), "{ok}");
        }
        for bad in ["", "Alex", "a b", "a/b", "+", "#", "_a", "é", "abcdefghijklmnopqrstuvwxyz0123456789"] {
            assert!(bad.parse::<AthleteId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ticks_convert_without_bias() {
        assert_eq!(RrTicks(1024).as_ms(), 1000.0);
        assert_eq!(RrTicks(1024).as_micros(), 1_000_000);
        assert_eq!(RrTicks::from_ms(812.5), Some(RrTicks(832)));
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 64_000.0] {
            assert_eq!(RrTicks::from_ms(bad), None);
        }
    }
}
