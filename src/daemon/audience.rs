//! Who may hear an output on the control socket.

use crate::control::Whose;
use crate::engine::{Command, Notice, Output, RecordKind, Roster};
use crate::units::{AthleteId, StrapId};

/// Whose heart an output speaks of. A strap that nobody has any more was somebody's.
pub(super) fn whose(output: &Output, roster: &Roster) -> Whose {
    let of = |a: &AthleteId| Whose::Of(a.to_string());
    let wearer = |id: &StrapId| {
        let strap = roster.straps.iter().find(|s| s.id == *id);
        strap.map_or(Whose::Unknown, |s| of(&s.athlete))
    };
    match output {
        Output::Beats(b) => of(&b.athlete),
        Output::Live(l) => of(&l.athlete),
        Output::Check(c) => of(&c.athlete),
        Output::Result(r) => of(&r.athlete),
        Output::Strap(s) => of(&s.athlete),
        Output::Record(r) => match &r.kind {
            RecordKind::Packet { strap, .. } | RecordKind::Link { strap, .. } => wearer(strap),
            RecordKind::Command(command) => of(athlete_of(command)),
            RecordKind::Anchor { .. } => Whose::Everybodys,
        },
        Output::Notice(n) => match n {
            Notice::Defect { strap, .. } | Notice::Gap { strap, .. } | Notice::TooLate { strap, .. } => wearer(strap),
            Notice::Refused { command, .. } => of(athlete_of(command)),
            Notice::ClockJump { .. } => Whose::Everybodys,
            Notice::UnknownStrap { .. } => Whose::Unknown,
        },
    }
}

fn athlete_of(command: &Command) -> &AthleteId {
    match command {
        Command::StartCheck { athlete, .. } | Command::CancelCheck { athlete } => athlete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{PacketBytes, Record, Strap};
    use crate::units::Mono;

    #[test]
    fn raw_records_and_notices_belong_to_who_wears_the_strap() {
        let (alex, kim): (AthleteId, AthleteId) = ("alex".parse().unwrap(), "kim".parse().unwrap());
        let strap = |n: u8, athlete: &AthleteId| Strap { id: StrapId([n; 6]), athlete: athlete.clone(), name: None };
        let roster = Roster { athletes: vec![], straps: vec![strap(1, &alex), strap(2, &kim)] };
        let record = |kind| Output::Record(Record { at: Mono::default(), kind });
        let packet = |n: u8| RecordKind::Packet { strap: StrapId([n; 6]), bytes: PacketBytes::new() };
        let link = |n: u8| RecordKind::Link { strap: StrapId([n; 6]), up: false };
        let defect = |n: u8| Output::Notice(Notice::Defect { strap: StrapId([n; 6]), what: "empty", count: 1 });
        let cancel = RecordKind::Command(Command::CancelCheck { athlete: kim });
        for (output, want) in [
            (record(packet(1)), Whose::Of("alex".into())),
            (record(packet(2)), Whose::Of("kim".into())),
            (record(link(2)), Whose::Of("kim".into())),
            (defect(2), Whose::Of("kim".into())),
            (record(cancel), Whose::Of("kim".into())),
            // forgotten a moment ago: still not alex's business
            (record(link(3)), Whose::Unknown),
            (defect(3), Whose::Unknown),
            (record(RecordKind::Anchor { wall: jiff::Timestamp::UNIX_EPOCH }), Whose::Everybodys),
            (Output::Notice(Notice::ClockJump { ms: 5 }), Whose::Everybodys),
        ] {
            assert_eq!(whose(&output, &roster), want, "{output:?}");
        }
    }
}
