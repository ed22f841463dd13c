//! Who lives here: the configuration's people and straps, and those adopted since.

use crate::check::Posture;
use crate::engine::{Athlete, Roster, Strap};
use crate::preference::Personal;
use crate::units::AthleteId;
use jiff::tz::TimeZone;

/// The configuration's roster plus the straps adopted into the store. The configuration wins where both name a strap.
pub(crate) fn merge(configured: &Roster, adopted: &[Strap]) -> Roster {
    let mut roster = configured.clone();
    for strap in adopted {
        if roster.straps.iter().any(|s| s.id == strap.id) {
            continue;
        }
        if !roster.athletes.iter().any(|a| a.id == strap.athlete) {
            roster.athletes.push(plain_athlete(&strap.athlete));
        }
        roster.straps.push(strap.clone());
    }
    roster
}

/// A person that only an adoption knows: everything at its default.
fn plain_athlete(id: &AthleteId) -> Athlete {
    let mut name = id.to_string();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Athlete {
        id: id.clone(),
        name,
        time_zone: TimeZone::system(),
        posture: Posture::Supine,
        wake_window: Personal::default().window(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::StrapId;

    #[test]
    fn an_adoption_makes_its_athlete_and_never_overrides_the_file() {
        let a = StrapId([1; 6]);
        let b = StrapId([2; 6]);
        let alex: AthleteId = "alex".parse().unwrap();
        let kim: AthleteId = "kim".parse().unwrap();
        let file = Roster {
            athletes: vec![plain_athlete(&alex)],
            straps: vec![Strap { id: a, athlete: alex.clone(), name: None }],
        };
        let adopted = [
            Strap { id: a, athlete: kim.clone(), name: None },
            Strap { id: b, athlete: kim.clone(), name: Some("H10".into()) },
        ];
        let r = merge(&file, &adopted);
        assert_eq!(r.straps[0].athlete, alex);
        assert_eq!(r.athletes.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["Alex", "Kim"]);
        assert_eq!(r.straps.iter().map(|s| s.id).collect::<Vec<_>>(), [a, b]);
    }
}
