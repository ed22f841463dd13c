//! Every sentence that readiness says, in English and German. Yellow flags, never orders: `words_tests.rs` reads each.
//!
//! `{name}` is filled in by `words.rs`. A sentence about the literature says no more than its source
//! (`docs/readiness.md` lists them).

/// Key, English, German.
pub(super) const TABLE: &[(&str, &str, &str)] = &[
    // -- the answer
    ("level.GO", "Nothing that counts differs from your usual.", "Nichts, was zählt, weicht von deinem Üblichen ab."),
    (
        "level.CAUTION",
        "One yellow flag: worth a look, no more than that.",
        "Eine gelbe Flagge: einen Blick wert, mehr nicht.",
    ),
    (
        "level.EASY",
        "Several signs agree: an easy day fits better today.",
        "Mehrere Zeichen stimmen überein: ein leichter Tag passt heute besser.",
    ),
    (
        "level.REST",
        "Many signs agree, or you feel ill or hurt: rest fits today.",
        "Viele Zeichen stimmen überein, oder du fühlst dich krank oder hast Schmerzen: heute passt Ruhe.",
    ),
    (
        "level.UNKNOWN",
        "Nothing is known for today. How you feel is the better guide.",
        "Für heute ist nichts bekannt. Dein Gefühl ist der bessere Ratgeber.",
    ),
    ("hard.yes", "A hard session fits today.", "Eine harte Einheit passt heute."),
    (
        "hard.if_warmup_feels_good",
        "A hard session can fit if the warm-up feels good.",
        "Eine harte Einheit kann passen, wenn sich das Einlaufen gut anfühlt.",
    ),
    ("hard.no", "A hard session fits better on another day.", "Eine harte Einheit passt an einem anderen Tag besser."),
    ("hard.your_call", "Hard or easy is your call.", "Hart oder leicht: deine Entscheidung."),
    ("confidence.low", "Little is behind this verdict.", "Hinter diesem Urteil steht wenig."),
    (
        "confidence.medium",
        "Two kinds of evidence, or a young baseline, are behind this verdict.",
        "Hinter diesem Urteil stehen zwei Arten von Hinweisen oder eine junge Grundlinie.",
    ),
    (
        "confidence.high",
        "Heart, feel and load are all behind this verdict.",
        "Hinter diesem Urteil stehen Herz, Gefühl und Belastung.",
    ),
    // -- flags: brief
    (
        "brief.hrv_week_low",
        "7-day HRV mean {value2} is below your normal range {lo2}-{hi2}",
        "7-Tage-Mittel der HRV {value2} liegt unter deinem Normalbereich {lo2}-{hi2}",
    ),
    (
        "brief.hrv_week_high",
        "7-day HRV mean {value2} is above your normal range {lo2}-{hi2}",
        "7-Tage-Mittel der HRV {value2} liegt über deinem Normalbereich {lo2}-{hi2}",
    ),
    (
        "brief.hrv_today_very_low",
        "today's HRV is {below} SD below your mean",
        "die HRV liegt heute {below} SD unter deinem Mittel",
    ),
    (
        "brief.hrv_today_low",
        "today's HRV is {below} SD below your mean (happens by chance about 1 day in {chance})",
        "die HRV liegt heute {below} SD unter deinem Mittel (durch Zufall etwa an 1 von {chance} Tagen)",
    ),
    (
        "brief.hrv_today_high",
        "today's HRV is {above} SD above your mean: check the recording; high is not always good",
        "die HRV liegt heute {above} SD über deinem Mittel: ein Blick auf die Aufnahme lohnt; hoch ist nicht immer gut",
    ),
    (
        "brief.hrv_unstable",
        "HRV swings more than usual this week (CV {value1}% vs {beside1}%)",
        "die HRV schwankt diese Woche mehr als sonst (CV {value1}% statt {beside1}%)",
    ),
    ("brief.rhr_very_high", "resting HR {delta} bpm over your usual", "Ruhepuls {delta} bpm über deinem Üblichen"),
    ("brief.rhr_high", "resting HR {delta} bpm over your usual", "Ruhepuls {delta} bpm über deinem Üblichen"),
    ("brief.sleep_very_short", "slept {value1} h", "{value1} h geschlafen"),
    ("brief.sleep_short", "slept {value1} h", "{value1} h geschlafen"),
    ("brief.sleep_debt", "3-night mean sleep {value1} h", "Schlaf im Mittel dreier Nächte {value1} h"),
    (
        "brief.wellness_very_poor",
        "wellness (Hooper {value}/28) much worse than your usual",
        "Befinden (Hooper {value}/28) viel schlechter als bei dir üblich",
    ),
    (
        "brief.wellness_poor",
        "wellness (Hooper {value}/28) worse than your usual",
        "Befinden (Hooper {value}/28) schlechter als bei dir üblich",
    ),
    ("brief.pain_stays", "pain that stays, day {value}", "Schmerz, der bleibt, Tag {value}"),
    ("brief.pain_warms_up", "pain that warms up and goes away", "Schmerz, der beim Warmwerden verschwindet"),
    ("brief.hard_recent", "last hard session {value0} h ago (<48 h)", "letzte harte Einheit vor {value0} h (<48 h)"),
    ("brief.monotony", "training monotony {value1} (>2)", "Trainingsmonotonie {value1} (>2)"),
    (
        "brief.load_spike",
        "this week is {value2}x your previous 4-week average (context, not an injury forecast)",
        "diese Woche ist das {value2}-Fache deines Mittels der 4 Wochen davor (Einordnung, keine Verletzungsprognose)",
    ),
    (
        "brief.cutback_due",
        "{value} weeks without an easier week (coaching convention, weak evidence)",
        "{value} Wochen ohne leichtere Woche (Trainerregel, schwach belegt)",
    ),
    // -- flags: number, range and rule in words
    (
        "say.hrv_week_low",
        "Your 7-day RMSSD is {ms} ms; raised below {lo_ms} ms (your mean less {k_week} SD).",
        "Dein RMSSD über 7 Tage ist {ms} ms; gemeldet unter {lo_ms} ms (dein Mittel weniger {k_week} SD).",
    ),
    (
        "say.hrv_week_high",
        "Your 7-day RMSSD is {ms} ms, above your range up to {hi_ms} ms. It does not count.",
        "Dein RMSSD über 7 Tage ist {ms} ms, über deinem Bereich bis {hi_ms} ms. Es zählt nicht.",
    ),
    (
        "say.hrv_today_very_low",
        "Today's RMSSD is {ms} ms, {below} SD below your mean; it usually lies above {lo_ms} ms.",
        "Dein RMSSD ist heute {ms} ms, {below} SD unter deinem Mittel; meist liegt er über {lo_ms} ms.",
    ),
    (
        "say.hrv_today_low",
        "Today's RMSSD is {ms} ms; raised below {lo_ms} ms, which chance alone does about 1 day in {chance}.",
        "Dein RMSSD ist heute {ms} ms; gemeldet unter {lo_ms} ms, was Zufall allein etwa an 1 von {chance} Tagen tut.",
    ),
    (
        "say.hrv_today_high",
        "Today's RMSSD is {ms} ms, above {hi_ms} ms. High is not always good; it does not count.",
        "Dein RMSSD ist heute {ms} ms, über {hi_ms} ms. Hoch ist nicht immer gut; es zählt nicht.",
    ),
    (
        "say.hrv_unstable",
        "HRV varies by {value1} % this week, usually by {beside1} %; raised above {hi1} %.",
        "Die HRV schwankt diese Woche um {value1} %, üblich sind {beside1} %; gemeldet über {hi1} %.",
    ),
    (
        "say.rhr_very_high",
        "Resting heart rate is {value0} bpm, {delta} bpm against your usual; it mostly stays below {hi0} bpm.",
        "Der Ruhepuls ist {value0} bpm, {delta} bpm gegenüber sonst; meist bleibt er unter {hi0} bpm.",
    ),
    (
        "say.rhr_high",
        "Resting heart rate is {value0} bpm, {delta} bpm against your usual; raised from {hi0} bpm.",
        "Der Ruhepuls ist {value0} bpm, {delta} bpm gegenüber sonst; gemeldet ab {hi0} bpm.",
    ),
    (
        "say.sleep_very_short",
        "You slept {value1} h; raised below {lo1} h, strong below 5 h.",
        "Du hast {value1} h geschlafen; gemeldet unter {lo1} h, stark unter 5 h.",
    ),
    (
        "say.sleep_short",
        "You slept {value1} h; raised below {lo1} h.",
        "Du hast {value1} h geschlafen; gemeldet unter {lo1} h.",
    ),
    (
        "say.sleep_debt",
        "Three nights average {value1} h; raised below {lo1} h.",
        "Drei Nächte ergeben im Mittel {value1} h; gemeldet unter {lo1} h.",
    ),
    (
        "say.wellness_very_poor",
        "Your wellness sum is {value} of 28 (4 is best); usually it stays below {hi1}.",
        "Deine Befindenssumme ist {value} von 28 (4 ist am besten); meist bleibt sie unter {hi1}.",
    ),
    (
        "say.wellness_poor",
        "Your wellness sum is {value} of 28 (4 is best); raised above {hi1}, or with an item at 6 or 7.",
        "Deine Befindenssumme ist {value} von 28 (4 ist am besten); gemeldet über {hi1} oder bei einem Wert von 6 oder 7.",
    ),
    (
        "say.pain_stays",
        "You reported a pain that stays when warm, for {value} days in a row. It goes first, whatever the heart says.",
        "Du hast einen Schmerz gemeldet, der beim Warmwerden bleibt, seit {value} Tagen. Er geht vor, was immer das Herz sagt.",
    ),
    (
        "say.pain_warms_up",
        "You reported a pain that goes away when warm.",
        "Du hast einen Schmerz gemeldet, der beim Warmwerden verschwindet.",
    ),
    (
        "say.hard_recent",
        "The last hard session ended {value0} h ago; 48 h between hard ones is the usual default.",
        "Die letzte harte Einheit endete vor {value0} h; 48 h zwischen harten sind die übliche Vorgabe.",
    ),
    (
        "say.monotony",
        "The days of this week are alike: monotony {value1}; raised above {hi1}.",
        "Die Tage dieser Woche gleichen sich: Monotonie {value1}; gemeldet über {hi1}.",
    ),
    (
        "say.load_spike",
        "Seven days hold {value2} times your usual week of {beside0}; raised above {hi1} times.",
        "Sieben Tage enthalten das {value2}-Fache deiner üblichen Woche von {beside0}; gemeldet über dem {hi1}-Fachen.",
    ),
    (
        "say.cutback_due",
        "{value} weeks have passed without one at three quarters of the three before.",
        "{value} Wochen sind vergangen ohne eine mit drei Vierteln der drei davor.",
    ),
    // -- flags: what would clear it
    ("clears.hrv_week_low", "a 7-day RMSSD of {lo_ms} ms or more", "ein RMSSD über 7 Tage ab {lo_ms} ms"),
    ("clears.hrv_week_high", "a 7-day RMSSD of {hi_ms} ms or less", "ein RMSSD über 7 Tage bis {hi_ms} ms"),
    ("clears.hrv_today_very_low", "a morning with {lo_ms} ms or more", "ein Morgen mit {lo_ms} ms oder mehr"),
    ("clears.hrv_today_low", "a morning with {lo_ms} ms or more", "ein Morgen mit {lo_ms} ms oder mehr"),
    ("clears.hrv_today_high", "a morning with {hi_ms} ms or less", "ein Morgen mit {hi_ms} ms oder weniger"),
    (
        "clears.hrv_unstable",
        "a week that varies by {hi1} % or less",
        "eine Woche, die um {hi1} % oder weniger schwankt",
    ),
    ("clears.rhr_very_high", "a morning below {hi0} bpm", "ein Morgen unter {hi0} bpm"),
    ("clears.rhr_high", "a morning below {hi0} bpm", "ein Morgen unter {hi0} bpm"),
    ("clears.sleep_very_short", "a night of {lo1} h or more", "eine Nacht ab {lo1} h"),
    ("clears.sleep_short", "a night of {lo1} h or more", "eine Nacht ab {lo1} h"),
    ("clears.sleep_debt", "three nights that average {lo1} h or more", "drei Nächte mit im Mittel {lo1} h oder mehr"),
    (
        "clears.wellness_very_poor",
        "a wellness sum of {hi1} or less and no item at 6 or 7",
        "eine Befindenssumme bis {hi1} und kein Wert von 6 oder 7",
    ),
    (
        "clears.wellness_poor",
        "a wellness sum of {hi1} or less and no item at 6 or 7",
        "eine Befindenssumme bis {hi1} und kein Wert von 6 oder 7",
    ),
    ("clears.pain_stays", "a day without pain", "ein Tag ohne Schmerz"),
    ("clears.pain_warms_up", "a day without pain", "ein Tag ohne Schmerz"),
    ("clears.hard_recent", "{left} more hours", "noch {left} Stunden"),
    ("clears.monotony", "a rest day, or days that differ more", "ein Ruhetag oder Tage, die sich mehr unterscheiden"),
    ("clears.load_spike", "seven days with {week_limit} or less", "sieben Tage mit {week_limit} oder weniger"),
    (
        "clears.cutback_due",
        "a week at three quarters of the three before",
        "eine Woche mit drei Vierteln der drei davor",
    ),
    // -- why the rule exists
    (
        "why.hrv_week",
        "Weekly averages showed overload where a single reading per week showed nothing clear (Le Meur 2013).",
        "Wochenmittel zeigten Überlastung, wo eine einzelne Messung je Woche nichts Klares zeigte (Le Meur 2013).",
    ),
    (
        "why.hrv_today",
        "By chance alone about one day in six lies below your mean − 1 SD.",
        "Allein durch Zufall liegt etwa einer von sechs Tagen unter deinem Mittel − 1 SD.",
    ),
    (
        "why.hrv_high",
        "In one study, overreached triathletes showed higher weekly HRV and a lower resting pulse (Le Meur 2013).",
        "In einer Studie zeigten überbeanspruchte Triathleten höhere Wochen-HRV und niedrigeren Ruhepuls (Le Meur 2013).",
    ),
    (
        "why.hrv_unstable",
        "The spread of HRV was lower in a week of low load (Flatt & Esco 2015); its sign is contested.",
        "Die Streuung der HRV war in einer Woche mit wenig Belastung kleiner (Flatt & Esco 2015); ihr Vorzeichen ist umstritten.",
    ),
    (
        "why.rhr",
        "In athletes, resting pulse rose moderately in overload of up to two weeks and not at all in longer overload (Bosquet 2008).",
        "Bei Sportlern stieg der Ruhepuls bei Überlastung bis zu zwei Wochen mäßig und bei längerer gar nicht (Bosquet 2008).",
    ),
    (
        "why.sleep",
        "Adults are advised seven hours or more on a regular basis (AASM/SRS 2015).",
        "Erwachsenen werden regelmäßig sieben Stunden oder mehr empfohlen (AASM/SRS 2015).",
    ),
    (
        "why.wellness",
        "In 56 studies, how athletes felt followed training load more sensitively and consistently than objective measures (Saw 2016).",
        "In 56 Studien folgte das Befinden von Sportlern der Belastung empfindlicher und beständiger als objektive Maße (Saw 2016).",
    ),
    ("why.pain", "The strap cannot see tissue; you can feel it.", "Der Gurt sieht kein Gewebe; du spürst es."),
    (
        "why.hard_recent",
        "After a high-intensity session the heart's nervous control needs at least 48 h; it differs between people, and muscles and energy stores follow their own time (Stanley 2013).",
        "Nach einer hochintensiven Einheit braucht die Nervensteuerung des Herzens mindestens 48 h; das ist von Mensch zu Mensch verschieden, und Muskeln und Energiespeicher folgen ihrer eigenen Zeit (Stanley 2013).",
    ),
    (
        "why.load",
        "Re-analysed, the acute:chronic load ratio predicted injury hardly better than no model at all (Impellizzeri 2021); here it only compares this week with your usual.",
        "Neu ausgewertet sagte das Verhältnis von akuter zu chronischer Belastung Verletzungen kaum besser voraus als gar kein Modell (Impellizzeri 2021); hier vergleicht es nur diese Woche mit deiner üblichen.",
    ),
    (
        "why.monotony",
        "Foster 1998 linked illness to individual thresholds; the fixed limit of 2 is a custom of later tools.",
        "Foster 1998 verband Erkrankungen mit persönlichen Schwellen; die feste Grenze 2 ist eine Gewohnheit späterer Programme.",
    ),
    ("why.cutback", "A coaching convention with weak evidence.", "Eine Trainerregel mit schwachem Beleg."),
    // -- patterns
    (
        "pattern.low_hrv_high_rhr",
        "low HRV with raised resting HR: common with incoming illness, alcohol, heat, poor sleep or heavy load",
        "niedrige HRV mit erhöhtem Ruhepuls: häufig bei beginnendem Infekt, Alkohol, Hitze, schlechtem Schlaf oder hoher Belastung",
    ),
    (
        "pattern.high_hrv_poor_wellness",
        "high HRV with poor wellness: seen in some athletes when overreached (Le Meur 2013); do not read high HRV as freshness",
        "hohe HRV bei schlechtem Befinden: bei einigen Sportlern nach Überbeanspruchung gesehen (Le Meur 2013); hohe HRV ist nicht gleich Frische",
    ),
    (
        "pattern.saturation",
        "low HRV with low resting HR: possible parasympathetic saturation (Plews 2013); not a stress sign by itself",
        "niedrige HRV mit niedrigem Ruhepuls: mögliche parasympathische Sättigung (Plews 2013); für sich kein Zeichen von Stress",
    ),
    // -- feel and data
    (
        "cell.both_good",
        "Feel and data agree: both look like your usual.",
        "Gefühl und Daten stimmen überein: beide sehen aus wie sonst.",
    ),
    (
        "cell.both_bad",
        "Feel and data agree that something is off. Swapping the hard day for an easy one is a sensible option.",
        "Gefühl und Daten stimmen überein, dass etwas anders ist. Den harten Tag gegen einen leichten zu tauschen ist eine gute Möglichkeit.",
    ),
    (
        "cell.feel_good_data_bad",
        "You feel good while the data differ from your usual. One morning says little; the warm-up tells more.",
        "Du fühlst dich gut, während die Daten von deinem Üblichen abweichen. Ein Morgen sagt wenig; das Einlaufen verrät mehr.",
    ),
    (
        "cell.feel_bad_data_good",
        "You feel worse than the data look. How you feel counts more than the strap.",
        "Du fühlst dich schlechter, als die Daten aussehen. Dein Gefühl zählt mehr als der Gurt.",
    ),
    // -- what would change it
    ("what.rmssd", "{level} with an RMSSD of {at} ms {edge} today", "{level} mit einem RMSSD von heute {at} ms {edge}"),
    (
        "what.week_mean",
        "{level} with a 7-day RMSSD of {at} ms {edge}",
        "{level} mit einem RMSSD über 7 Tage von {at} ms {edge}",
    ),
    (
        "what.rhr",
        "{level} with a resting heart rate of {at} bpm {edge}",
        "{level} mit einem Ruhepuls von {at} bpm {edge}",
    ),
    ("what.sleep", "{level} with {at} h of sleep {edge}", "{level} mit {at} h Schlaf {edge}"),
    ("what.wellness", "{level} with a wellness sum of {at} {edge}", "{level} mit einer Befindenssumme von {at} {edge}"),
    (
        "what.hours_since_hard",
        "{level} from {at} h after the last hard session",
        "{level} ab {at} h nach der letzten harten Einheit",
    ),
    (
        "what.week_load",
        "{level} with a 7-day load of {at} {edge}",
        "{level} mit einer Belastung über 7 Tage von {at} {edge}",
    ),
    ("what.pain", "{level} without the pain", "{level} ohne den Schmerz"),
    ("what.illness", "{level} without feeling ill", "{level} ohne das Krankheitsgefühl"),
    ("edge.up", "or more", "oder mehr"),
    ("edge.down", "or less", "oder weniger"),
    // -- baseline
    (
        "baseline.learning",
        "Learning your usual: {valid} valid mornings, {missing} more until the first HRV verdict.",
        "Lernt dein Übliches: {valid} gültige Morgen, noch {missing} bis zum ersten HRV-Urteil.",
    ),
    (
        "baseline.provisional",
        "Young baseline: {valid} valid mornings, {missing} more until it is complete.",
        "Junge Grundlinie: {valid} gültige Morgen, noch {missing}, bis sie vollständig ist.",
    ),
    (
        "baseline.normal",
        "Baseline of {valid} valid mornings in the last 60 days.",
        "Grundlinie aus {valid} gültigen Morgen der letzten 60 Tage.",
    ),
    (
        "baseline.no_spread",
        "The values do not move at all, so nothing is said from them. The strap or its data deserve a look.",
        "Die Werte bewegen sich gar nicht, darum wird daraus nichts gesagt. Gurt oder Daten verdienen einen Blick.",
    ),
    (
        "baseline.changed",
        "Another strap or posture begins a new baseline; {earlier} valid mornings with the earlier one stay behind.",
        "Ein anderer Gurt oder eine andere Haltung beginnt eine neue Grundlinie; {earlier} gültige Morgen der früheren bleiben zurück.",
    ),
    (
        "baseline.offer",
        "Your values have settled elsewhere for two weeks. The baseline follows slowly; recalibrating from today makes it follow at once.",
        "Deine Werte liegen seit zwei Wochen anderswo. Die Grundlinie folgt langsam; neu ab heute folgt sie sofort.",
    ),
    // -- rest day
    (
        "card.rebounded",
        "Invisible work: since the morning after {date}, RMSSD went from {from_ms} to {to_ms} ms and resting heart rate from {from_bpm} to {to_bpm} bpm.",
        "Unsichtbare Arbeit: seit dem Morgen nach dem {date} ging der RMSSD von {from_ms} auf {to_ms} ms und der Ruhepuls von {from_bpm} auf {to_bpm} bpm.",
    ),
    (
        "card.on_its_way",
        "RMSSD {from_ms} to {to_ms} ms and resting heart rate {from_bpm} to {to_bpm} bpm since the morning after {date}. Coming back takes its own time, and the rest counts already.",
        "RMSSD {from_ms} auf {to_ms} ms und Ruhepuls {from_bpm} auf {to_bpm} bpm seit dem Morgen nach dem {date}. Das Zurückkommen hat seine eigene Zeit, und die Ruhe zählt schon.",
    ),
    // -- rules of load
    (
        "rule.hard_gap",
        "Two hard sessions lay {value} h apart; {limit} h is the usual default, and people differ.",
        "Zwischen zwei harten Einheiten lagen {value} h; üblich sind {limit} h, und Menschen sind verschieden.",
    ),
    (
        "rule.hard_days_in_a_row",
        "{value} hard days in a row; most plans alternate hard and easy.",
        "{value} harte Tage hintereinander; die meisten Pläne wechseln hart und leicht.",
    ),
    (
        "rule.no_light_day",
        "{value} days without a light one; most plans hold one in seven.",
        "{value} Tage ohne einen leichten; die meisten Pläne haben einen von sieben.",
    ),
    (
        "rule.cutback_due",
        "{value} weeks without a lighter one; coaches plan one after three or four (weak evidence).",
        "{value} Wochen ohne eine leichtere; Trainer planen eine nach drei oder vier (schwach belegt).",
    ),
    (
        "rule.ramp",
        "Load grew by {value} % a week over six weeks. Tendons and bones follow more slowly than the heart, and the strap cannot see tissue.",
        "Die Belastung wuchs über sechs Wochen um {value} % je Woche. Sehnen und Knochen folgen langsamer als das Herz, und der Gurt sieht kein Gewebe.",
    ),
    (
        "rule.hidden_workout",
        "{value} sessions called easy were hard by heart rate this week.",
        "{value} leicht genannte Einheiten waren diese Woche nach dem Puls hart.",
    ),
    (
        "rule.unknown_load",
        "{value} sessions of this week have no load; the sums are too small.",
        "{value} Einheiten dieser Woche haben keine Belastung; die Summen sind zu klein.",
    ),
    // -- plan
    (
        "plan.conflict",
        "The plan says {planned}, and the verdict sees little room for it. Both ways are open.",
        "Der Plan sagt {planned}, und das Urteil sieht wenig Platz dafür. Beide Wege sind offen.",
    ),
    ("plan.keep", "keep the plan and let the warm-up decide", "beim Plan bleiben und das Einlaufen entscheiden lassen"),
    ("plan.swap", "swap with {date}", "mit dem {date} tauschen"),
    ("plan.easier", "make today easy", "heute leicht gestalten"),
    ("planned.rest", "rest", "Ruhe"),
    ("planned.easy", "an easy day", "einen leichten Tag"),
    ("planned.quality", "a quality session", "eine Tempoeinheit"),
    ("planned.long", "a long session", "eine lange Einheit"),
    ("planned.race", "a race", "einen Wettkampf"),
    // -- what people say about themselves
    (
        "trend.motivation",
        "Motivation was low on {value} of the last 7 days. A fun run without numbers is an option.",
        "Die Motivation war an {value} der letzten 7 Tage niedrig. Ein Spaßlauf ohne Zahlen ist eine Möglichkeit.",
    ),
    (
        "trend.caffeine",
        "More caffeine than usual on {value} of the last 7 days.",
        "Mehr Koffein als sonst an {value} der letzten 7 Tage.",
    ),
    ("quiet.words", "Quiet mode: words only. Holes are fine.", "Ruhemodus: nur Worte. Lücken sind in Ordnung."),
    // -- flags without their numbers
    ("name.hrv_week_low", "HRV of the week below usual", "HRV der Woche unter dem Üblichen"),
    ("name.hrv_week_high", "HRV of the week above usual", "HRV der Woche über dem Üblichen"),
    ("name.hrv_today_very_low", "HRV far below usual today", "HRV heute weit unter dem Üblichen"),
    ("name.hrv_today_low", "HRV below usual today", "HRV heute unter dem Üblichen"),
    ("name.hrv_today_high", "HRV far above usual today", "HRV heute weit über dem Üblichen"),
    ("name.hrv_unstable", "HRV swings more than usual", "HRV schwankt mehr als üblich"),
    ("name.rhr_very_high", "Resting heart rate far above usual", "Ruhepuls weit über dem Üblichen"),
    ("name.rhr_high", "Resting heart rate above usual", "Ruhepuls über dem Üblichen"),
    ("name.sleep_very_short", "A very short night", "Eine sehr kurze Nacht"),
    ("name.sleep_short", "A short night", "Eine kurze Nacht"),
    ("name.sleep_debt", "Several short nights", "Mehrere kurze Nächte"),
    ("name.wellness_very_poor", "Wellness far worse than usual", "Befinden weit schlechter als üblich"),
    ("name.wellness_poor", "Wellness worse than usual", "Befinden schlechter als üblich"),
    ("name.pain_stays", "Pain that stays when warm", "Schmerz, der auch warm bleibt"),
    ("name.pain_warms_up", "Pain that goes away when warm", "Schmerz, der warm vergeht"),
    ("name.hard_recent", "A hard session not long ago", "Eine harte Einheit vor kurzem"),
    ("name.monotony", "Days that are all alike", "Tage, die sich alle gleichen"),
    ("name.load_spike", "Far more than the usual week", "Weit mehr als in der üblichen Woche"),
    ("name.cutback_due", "Long without a lighter week", "Lange ohne leichtere Woche"),
];
