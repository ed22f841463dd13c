//! Heart Rate Service wire format: 0x2A37 decode and encode, 0x2A38 names.
//!
//! Source: Bluetooth SIG, Heart Rate Service 1.0, characteristic 0x2A37. Decoding never fails and never panics:
//! it returns what could be read and, beside it, the first defect.

use crate::units::RrTicks;
use smallvec::SmallVec;

/// Skin contact as the strap reports it. Three states: most straps cannot tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// The strap has no contact detection.
    Unsupported,
    /// Supported, and no skin is felt.
    Lost,
    /// Supported, and skin is felt.
    Good,
}

impl Contact {
    /// As a yes/no, `None` where the strap cannot tell.
    pub fn detected(self) -> Option<bool> {
        match self {
            Self::Unsupported => None,
            Self::Lost => Some(false),
            Self::Good => Some(true),
        }
    }
}

/// One decoded notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Heart rate in bpm, the strap's own smoothed value; `None` if the packet was cut before it or it says 0.
    pub hr: Option<u16>,
    /// Skin contact.
    pub contact: Contact,
    /// Energy expended since reset, kJ.
    pub energy_kj: Option<u16>,
    /// RR intervals, oldest first. Nine fit the default MTU; more are legal.
    pub rr: SmallVec<[RrTicks; 9]>,
}

/// What was wrong with a packet. The rest of it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// No bytes at all.
    Empty,
    /// Ends inside the heart rate or the energy field.
    Truncated,
    /// An odd byte after the last RR interval.
    OddTail,
    /// An RR of 0 or 65535, which is no interval.
    ImpossibleRr,
    /// Bytes after the fields that the flags announce (RR flag not set).
    Unannounced,
}

impl Defect {
    /// Short text for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty packet",
            Self::Truncated => "truncated packet",
            Self::OddTail => "odd byte after the last interval",
            Self::ImpossibleRr => "impossible interval (0 or 65535)",
            Self::Unannounced => "bytes that the flags do not announce",
        }
    }
}

const FLAG_HR16: u8 = 0x01;
const FLAG_CONTACT: u8 = 0x02;
const FLAG_CONTACT_SUPPORTED: u8 = 0x04;
const FLAG_ENERGY: u8 = 0x08;
const FLAG_RR: u8 = 0x10;

/// Decodes the value of a 0x2A37 notification.
pub fn decode(bytes: &[u8]) -> (Measurement, Option<Defect>) {
    read(bytes, |_| {})
}

/// Positions in [`Measurement::rr`] before which an interval is missing, because it was cut or impossible. The number of
/// intervals as a position means that one is missing after the last.
pub fn breaks(bytes: &[u8]) -> SmallVec<[usize; 4]> {
    let mut out = SmallVec::new();
    read(bytes, |at| out.push(at));
    out
}

fn read(bytes: &[u8], mut missing: impl FnMut(usize)) -> (Measurement, Option<Defect>) {
    let mut out = Measurement { hr: None, contact: Contact::Unsupported, energy_kj: None, rr: SmallVec::new() };
    let Some((&flags, mut rest)) = bytes.split_first() else {
        return (out, Some(Defect::Empty));
    };
    out.contact = match (flags & FLAG_CONTACT_SUPPORTED != 0, flags & FLAG_CONTACT != 0) {
        (false, _) => Contact::Unsupported,
        (true, false) => Contact::Lost,
        (true, true) => Contact::Good,
    };
    let hr = if flags & FLAG_HR16 != 0 { take_u16(&mut rest) } else { take_u8(&mut rest).map(u16::from) };
    let Some(hr) = hr else {
        missing(0);
        return (out, Some(Defect::Truncated));
    };
    out.hr = (hr > 0).then_some(hr);
    if flags & FLAG_ENERGY != 0 {
        let Some(kj) = take_u16(&mut rest) else {
            missing(0);
            return (out, Some(Defect::Truncated));
        };
        out.energy_kj = Some(kj);
    }
    if flags & FLAG_RR == 0 {
        return (out, (!rest.is_empty()).then_some(Defect::Unannounced));
    }
    let mut defect = None;
    while let Some(raw) = take_u16(&mut rest) {
        if raw == 0 || raw == u16::MAX {
            missing(out.rr.len());
            defect = defect.or(Some(Defect::ImpossibleRr));
        } else {
            out.rr.push(RrTicks(raw));
        }
    }
    if !rest.is_empty() {
        missing(out.rr.len());
        defect = defect.or(Some(Defect::OddTail));
    }
    (out, defect)
}

fn take_u8(rest: &mut &[u8]) -> Option<u8> {
    let (&first, tail) = rest.split_first()?;
    *rest = tail;
    Some(first)
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    let (pair, tail) = rest.split_first_chunk::<2>()?;
    *rest = tail;
    Some(u16::from_le_bytes(*pair))
}

/// Encodes a measurement as a strap would; the inverse of [`decode`] for every value it returns without defect.
pub fn encode(m: &Measurement) -> SmallVec<[u8; 20]> {
    let mut out: SmallVec<[u8; 20]> = SmallVec::new();
    let hr = m.hr.unwrap_or(0);
    let mut flags = match m.contact {
        Contact::Unsupported => 0,
        Contact::Lost => FLAG_CONTACT_SUPPORTED,
        Contact::Good => FLAG_CONTACT_SUPPORTED | FLAG_CONTACT,
    };
    if hr > 255 {
        flags |= FLAG_HR16;
    }
    if m.energy_kj.is_some() {
        flags |= FLAG_ENERGY;
    }
    if !m.rr.is_empty() {
        flags |= FLAG_RR;
    }
    out.push(flags);
    if hr > 255 {
        out.extend_from_slice(&hr.to_le_bytes());
    } else {
        out.push(hr as u8);
    }
    if let Some(kj) = m.energy_kj {
        out.extend_from_slice(&kj.to_le_bytes());
    }
    for rr in &m.rr {
        out.extend_from_slice(&rr.0.to_le_bytes());
    }
    out
}

/// Name of a body sensor location (0x2A38), `None` for reserved values.
pub fn location_name(value: u8) -> Option<&'static str> {
    Some(match value {
        0 => "other",
        1 => "chest",
        2 => "wrist",
        3 => "finger",
        4 => "hand",
        5 => "ear lobe",
        6 => "foot",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
    }

    #[test]
    fn vectors() {
        use Contact::*;
        type Row = (&'static str, Option<u16>, Contact, Option<u16>, &'static [f64], Option<Defect>);
        #[rustfmt::skip]
        let table: &[Row] = &[
            ("10 3C 00 04", Some(60), Unsupported, None, &[1000.0], None),
            ("16 48 40 03 5A 03", Some(72), Good, None, &[812.5, 837.890625], None),
            ("11 2C 01 66 01", Some(300), Unsupported, None, &[349.609375], None),
            ("18 50 E8 03 33 03", Some(80), Unsupported, Some(1000), &[799.8046875], None),
            ("04 46", Some(70), Lost, None, &[], None),
            ("06 46", Some(70), Good, None, &[], None),
            ("02 46", Some(70), Unsupported, None, &[], None),
            ("10 3C 00 04 FF", Some(60), Unsupported, None, &[1000.0], Some(Defect::OddTail)),
            ("10 3C", Some(60), Unsupported, None, &[], None),
            ("00 00", None, Unsupported, None, &[], None),
            ("", None, Unsupported, None, &[], Some(Defect::Empty)),
            ("10", None, Unsupported, None, &[], Some(Defect::Truncated)),
            ("11 3C", None, Unsupported, None, &[], Some(Defect::Truncated)),
            ("18 50 E8", Some(80), Unsupported, None, &[], Some(Defect::Truncated)),
            ("10 3C 00 00 00 04 FF FF", Some(60), Unsupported, None, &[1000.0], Some(Defect::ImpossibleRr)),
            // a Garmin HRM-Dual's extra 52 ms: legal on the wire, the artifact stage judges it
            ("10 38 2d 04 35 00", Some(56), Unsupported, None, &[1043.9453125, 51.7578125], None),
            // the same interval twice in one packet: both are kept
            ("16 77 08 02 08 02", Some(119), Good, None, &[507.8125, 507.8125], None),
            ("00 3C 00 04", Some(60), Unsupported, None, &[], Some(Defect::Unannounced)),
            ("F0 3C 00 04", Some(60), Unsupported, None, &[1000.0], None),
        ];
        for (bytes, hr, contact, energy, rr, defect) in table {
            let (m, d) = decode(&hex(bytes));
            let got: Vec<f64> = m.rr.iter().map(|r| r.as_ms()).collect();
            assert_eq!(
                (m.hr, m.contact, m.energy_kj, got.as_slice(), d),
                (*hr, *contact, *energy, *rr, *defect),
                "{bytes}"
            );
        }
    }

    #[test]
    fn breaks_stand_where_an_interval_is_missing() {
        for (bytes, at) in [
            ("10 3C 00 04 00 03", &[][..]),
            ("00 3C", &[]),
            ("", &[]),
            ("10 3C 00 04 00 00 00 03", &[1]),
            ("10 3C 00 00 00 04 FF FF", &[0, 1]),
            ("10 3C 00 04 FF", &[1]),
            ("11 3C", &[0]),
            ("18 50 E8", &[0]),
        ] {
            assert_eq!(&breaks(&hex(bytes))[..], at, "{bytes}");
        }
    }

    #[test]
    fn more_than_nine_intervals_of_a_large_mtu_are_all_kept() {
        let mut bytes = vec![0x10, 60];
        for i in 0..120u16 {
            bytes.extend_from_slice(&(800 + i).to_le_bytes());
        }
        let (m, d) = decode(&bytes);
        assert_eq!((m.rr.len(), m.rr[119], d), (120, RrTicks(919), None));
    }

    fn contact() -> impl Strategy<Value = Contact> {
        prop_oneof![Just(Contact::Unsupported), Just(Contact::Lost), Just(Contact::Good)]
    }

    proptest! {
        #[test]
        fn any_bytes_decode(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (m, _) = decode(&bytes);
            prop_assert!(m.rr.len() * 2 <= bytes.len());
            prop_assert!(m.hr != Some(0));
        }

        #[test]
        fn encode_then_decode_is_identity(
            hr in proptest::option::of(1u16..),
            contact in contact(),
            energy_kj in proptest::option::of(any::<u16>()),
            rr in proptest::collection::vec(1u16..u16::MAX, 0..40),
        ) {
            let m = Measurement { hr, contact, energy_kj, rr: rr.into_iter().map(RrTicks).collect() };
            prop_assert_eq!(decode(&encode(&m)), (m, None));
        }

        #[test]
        fn a_cut_packet_yields_a_prefix(rr in proptest::collection::vec(1u16..u16::MAX, 1..9), cut in 0usize..20) {
            let full = Measurement { hr: Some(60), contact: Contact::Good, energy_kj: Some(7), rr: rr.into_iter().map(RrTicks).collect() };
            let bytes = encode(&full);
            let cut = cut.min(bytes.len());
            let (m, _) = decode(&bytes[..cut]);
            prop_assert!(full.rr.starts_with(&m.rr));
        }
    }
}
