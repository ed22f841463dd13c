//! The dashboard's own words.

use crate::mqtt::Language;

/// An English text of the dashboard's in a language.
pub(super) fn say(language: Language, en: &'static str) -> &'static str {
    match language {
        Language::En => en,
        Language::De => GERMAN.iter().find(|(k, _)| *k == en).map_or(en, |(_, de)| de),
    }
}

const GERMAN: &[(&str, &str)] = &[
    ("Heart", "Herz"),
    ("Today", "Heute"),
    ("Live", "Live"),
    ("Trends", "Verlauf"),
    ("Strap", "Gurt"),
    ("Battery", "Batterie"),
    ("Check", "Messung"),
    ("Morning check", "Morgenmessung"),
    ("Start the check", "Messung starten"),
    ("Cancel the check", "Messung abbrechen"),
    ("Phase", "Phase"),
    ("Time left", "Restzeit"),
    ("Hint", "Hinweis"),
    ("Progress", "Fortschritt"),
    ("Readiness", "Bereitschaft"),
    ("Level", "Stufe"),
    ("Good", "Gut"),
    ("As usual", "Wie sonst"),
    ("Not good", "Nicht gut"),
    ("Hard session", "Harte Einheit"),
    ("Score", "Wert"),
    ("How do you feel? The verdict comes with your answer.", "Wie ist das Befinden? Das Urteil kommt mit der Antwort."),
    ("No verdict yet.", "Noch kein Urteil."),
    ("How you are", "Wie es geht"),
    ("Sleep", "Schlaf"),
    ("Stress", "Stress"),
    ("Fatigue", "Müdigkeit"),
    ("Soreness", "Muskelkater"),
    ("Session", "Einheit"),
    ("Log the session", "Einheit eintragen"),
    ("Was the verdict right?", "War das Urteil richtig?"),
    ("Yes", "Ja"),
    ("No", "Nein"),
    ("Day", "Tag"),
    (
        "Wellness: 1 is best, 7 is worst. All of it is optional.",
        "Wohlbefinden: 1 ist am besten, 7 am schlechtesten. Alles ist freiwillig.",
    ),
    ("lnRMSSD and its normal range", "lnRMSSD und Normalbereich"),
    ("7 days", "7 Tage"),
    ("Range low", "Bereich unten"),
    ("Range high", "Bereich oben"),
    ("Load of 7 days", "Belastung von 7 Tagen"),
    ("Load", "Belastung"),
    ("Last result", "Letztes Ergebnis"),
    ("RMSSD", "RMSSD"),
    ("RMSSD 60 s", "RMSSD 60 s"),
    ("Heart rate", "Herzfrequenz"),
    ("Quality", "Qualität"),
    ("Taken", "Gemessen"),
    ("Now", "Jetzt"),
    ("Breathing", "Atmung"),
    ("Last hour", "Letzte Stunde"),
    ("60 days", "60 Tage"),
    ("Morning RMSSD", "RMSSD am Morgen"),
    ("Morning heart rate", "Herzfrequenz am Morgen"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts stand in the source as `say("…")`; each has its German one.
    #[test]
    fn every_word_is_translated() {
        let source = include_str!("dashboard.rs");
        let said: Vec<&str> = source.split("say(\"").skip(1).filter_map(|t| t.split('"').next()).collect();
        assert!(said.len() > 20, "{said:?}");
        for en in said {
            assert!(GERMAN.iter().any(|(k, _)| *k == en), "{en}");
        }
    }
}
