//! The command line.

use super::exit::Exit;
use super::export::{ExportFormat, ExportWhat};
use crate::check::Posture;
use crate::config::{Override, Request};
use crate::units::{AthleteId, StrapId};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use std::str::FromStr;

/// Heart-rate straps to a morning HRV check in Home Assistant.
///
/// `hrvd run` is the daemon. The other commands talk to it, or work on files.
#[derive(Clone, Debug, Parser)]
#[command(name = "hrvd", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = after_help(), max_term_width = 100)]
pub struct Cli {
    /// Flags that every command knows.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

fn after_help() -> String {
    let codes: Vec<String> = Exit::ALL.iter().map(|e| format!("  {}  {}", e.code(), e.meaning())).collect();
    format!(
        "Examples:\n  sudo hrvd setup                              find the broker, adopt a strap, test it\n  hrvd scan                                    show the straps in reach\n  \
         hrvd adopt A0:9E:1A:9F:6E:53 --athlete alex  make one of them alex's\n  \
         hrvd check                                   take a morning check\n  \
         hrvd doctor                                  find out what does not work\n\n\
         Exit codes:\n{}",
        codes.join("\n")
    )
}

/// Flags that every command knows.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Configuration file; conf.d/*.toml beside it is read too [default: /etc/hrvd/hrvd.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Machine-readable output: one JSON value, or one a line
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// No colours; a non-empty NO_COLOR does the same
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Say more: -v our own details, -vv everybody's, -vvv everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet", help_heading = "Global options")]
    pub verbose: u8,
    /// Say less: -q warnings and errors, -qq errors
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub quiet: u8,
}

impl Global {
    /// The log filter that -v and -q ask for.
    pub fn log_level(&self) -> Option<(&'static str, &'static str)> {
        match (self.verbose, self.quiet) {
            (0, 0) => None,
            (1, _) => Some(("info,hrvd=debug", "-v")),
            (2, _) => Some(("debug", "-vv")),
            (3.., _) => Some(("trace", "-vvv")),
            (0, 1) => Some(("warn", "-q")),
            (0, 2..) => Some(("error", "-qq")),
        }
    }

    /// What to load.
    pub fn request(&self) -> Request {
        let level = self.log_level().map(|(value, flag)| Override {
            key: "log.level".into(),
            value: value.into(),
            flag: flag.into(),
        });
        Request { file: self.config.clone(), overrides: level.into_iter().collect() }
    }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the daemon in the foreground; systemd starts it like this
    Run,
    /// Set everything up: broker, login, your strap and a test of its signal
    ///
    /// Asks at a terminal; in a script its flags answer. What it will write is shown before, a file that you edited is
    /// left alone, and it can be run again at any time.
    #[command(
        after_help = "Examples:\n  sudo hrvd setup\n  sudo hrvd setup --yes --broker homeassistant.local --username hrvd --password-file pw.txt --athlete Alex --strap A0:9E:1A:9F:6E:53"
    )]
    Setup(super::setup::SetupArgs),
    /// Show the heart-rate straps in reach
    ///
    /// Looks by itself and adds what the daemon knows of adopted straps; while a check runs the daemon's knowledge must do,
    /// because scanning would disturb it. A strap advertises only while it is worn (moist electrodes) and not connected
    /// to something else.
    #[command(after_help = "Examples:\n  hrvd scan\n  hrvd scan --seconds 30 --json")]
    Scan {
        /// How long to look
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=300))]
        seconds: u16,
    },
    /// Make a strap an athlete's own; only adopted straps are ever connected
    #[command(after_help = "Example:\n  hrvd adopt A0:9E:1A:9F:6E:53 --athlete alex --name \"chest strap\"")]
    Adopt {
        /// Its address, as `hrvd scan` shows it
        address: StrapId,
        /// Whose it is: the slug of an athlete
        #[arg(long, value_name = "SLUG")]
        athlete: AthleteId,
        /// Name to show instead of the advertised one
        #[arg(long)]
        name: Option<String>,
    },
    /// Give an adopted strap up; what it recorded stays
    Forget {
        /// Its address
        address: StrapId,
    },
    /// Let a strap go for a while, so that another app or watch can have it
    ///
    /// hrvd disconnects it and takes it back by itself when the time is over.
    #[command(
        after_help = "Examples:\n  hrvd release A0:9E:1A:9F:6E:53 --minutes 90\n  hrvd release A0:9E:1A:9F:6E:53 --end"
    )]
    Release {
        /// Its address
        address: StrapId,
        /// For how long [default: 60]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1440))]
        minutes: Option<u32>,
        /// Take it back now
        #[arg(long, conflicts_with = "minutes")]
        end: bool,
    },
    /// Take a morning check: about three minutes of lying (sitting, standing) still
    ///
    /// Starts a check on the daemon and guides through it. Ctrl-C leaves the screen and not the check; --cancel ends
    /// the check.
    #[command(
        after_help = "Examples:\n  hrvd check\n  hrvd check --athlete alex --posture seated\n  hrvd check --cancel"
    )]
    Check {
        /// Whose; needed if there are several
        #[arg(long, value_name = "SLUG")]
        athlete: Option<AthleteId>,
        /// Posture of this check [default: the athlete's own]
        #[arg(long, value_parser = postures())]
        posture: Option<Posture>,
        /// End the running check without a result
        #[arg(long, conflicts_with = "posture")]
        cancel: bool,
    },
    /// Show live values until Ctrl-C
    Live {
        /// Only this athlete's
        #[arg(long, value_name = "SLUG")]
        athlete: Option<AthleteId>,
    },
    /// Feed RR intervals or a recording through the same engine as live beats, into a morning check
    #[command(
        after_help = "FILE is text with one RR interval in ms a line ('#' begins a comment), or what `hrvd export recording` wrote.\n\nExamples:\n  hrvd replay morning.txt --json\n  hrvd replay morning.hrvd --speed 10"
    )]
    Replay {
        /// The recording
        file: PathBuf,
        /// How fast: a factor of real time, or max
        #[arg(long, value_name = "max|N", default_value = "max")]
        speed: Speed,
    },
    /// Compute every HRV metric of recordings: a table, JSON, a picture
    #[command(
        after_help = "Examples:\n  hrvd analyze night.txt --window 300 --json\n  hrvd analyze morning.hrvd --plot morning.svg\n  hrvd analyze a.txt b.txt --detector kubios --labels --json"
    )]
    Analyze(super::analyze::AnalyzeArgs),
    /// Show where the day stands: the verdict, why, and what would change it
    Today(super::today::TodayArgs),
    /// Show the last days: verdicts, HRV against the usual range, feel
    #[command(after_help = "Examples:\n  hrvd history\n  hrvd history --days 90 --json")]
    History(super::history::HistoryArgs),
    /// Compute a day again, from raw packets to verdict, and say whether it comes out the same
    #[command(
        after_help = "Examples:\n  hrvd explain\n  hrvd explain yesterday --algo 1\n  hrvd explain 2026-03-02 --json"
    )]
    Explain(super::explain::ExplainArgs),
    /// Say how a day feels, how the night was, what was trained
    ///
    /// Everything is optional. Saying it again corrects it; what is said late makes a new version of the verdict.
    #[command(
        after_help = "Examples:\n  hrvd log feel good\n  hrvd log sleep 7.5 --date yesterday\n  hrvd log session --rpe 6 --minutes 50 --kind easy"
    )]
    Log(super::log::LogArgs),
    /// Say what readiness would say about a day given as JSON, with reasons and what would change it
    #[command(
        after_help = "FILE holds one day: {\"ln_rmssd\": [..., today], \"rhr\": [..., today], \"sleep_h\": [...], \"hooper\": [...], \"hooper_items\": [4 numbers], \"load\": [..., yesterday], \"hours_since_hard\": 20, \"sick\": false}, oldest first, null for a day without a value.\n\nExamples:\n  hrvd readiness today.json\n  hrvd readiness today.json --algo 2 --json"
    )]
    Readiness(super::readiness::ReadinessArgs),
    /// Print what a strap of a profile would send: every quirk that real straps have
    #[command(
        after_help = "Examples:\n  hrvd simulate --list\n  hrvd simulate --profile garmin_extra_rr --seconds 300 --recording > quirk.hrvd\n  hrvd simulate --rr morning.txt"
    )]
    Simulate(super::simulate::SimulateArgs),
    /// Show what this program does, with a simulated strap and without Bluetooth
    ///
    /// The whole daemon runs: a recorded rest session is played through a simulated strap, the check is guided and
    /// every MQTT message is shown. Nothing is left behind.
    #[command(
        after_help = "Examples:\n  hrvd demo\n  hrvd demo --speed 20 --broker 127.0.0.1:1883\n  hrvd demo --keep"
    )]
    Demo {
        /// How fast: a factor of real time
        #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(f64))]
        speed: f64,
        /// Stay up after the check, with live values, until Ctrl-C
        #[arg(long)]
        keep: bool,
        /// Broker to use; a private mosquitto is started otherwise
        #[arg(long, value_name = "HOST:PORT")]
        broker: Option<String>,
        /// A recording to play instead of the built-in one: RR intervals in ms, one a line
        #[arg(long, value_name = "FILE")]
        rr: Option<PathBuf>,
    },
    /// Write stored data: check results, beats, or a raw recording to replay
    #[command(
        after_help = "Examples:\n  hrvd export checks > checks.csv\n  hrvd export beats --format jsonl --output beats.jsonl\n  hrvd export recording --id 12 --output morning.hrvd"
    )]
    Export {
        /// What to write
        #[arg(value_enum)]
        what: ExportWhat,
        /// Format of checks and beats
        #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
        format: ExportFormat,
        /// Only this athlete's
        #[arg(long, value_name = "SLUG")]
        athlete: Option<AthleteId>,
        /// Which recording [default: the newest]; `hrvd export recordings` lists them
        #[arg(long, value_name = "N")]
        id: Option<i64>,
        /// File to write instead of stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Copy everything that is stored into one file, while the daemon runs or without it
    #[command(after_help = "Examples:\n  sudo hrvd backup /mnt/stick/\n  sudo hrvd backup hrvd-copy.db --force")]
    Backup(super::backup::BackupArgs),
    /// Put a backup in the place of the database; the daemon must be stopped
    ///
    /// Every page of the backup is read first. The database of before is moved aside and never deleted.
    #[command(
        after_help = "Example:\n  sudo systemctl stop hrvd && sudo hrvd restore hrvd-2026-11-25.db && sudo systemctl start hrvd"
    )]
    Restore {
        /// What `hrvd backup` wrote, or any database of hrvd
        file: PathBuf,
    },
    /// Take along or delete everything of a person
    #[command(subcommand)]
    Athlete(super::athlete::AthleteCommand),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what a Home Assistant needs: discovery, a dashboard, blueprints, what its recorder can leave out
    ///
    /// Made for the people and straps of this configuration, so every entity id is yours.
    #[command(
        after_help = "Examples:\n  hrvd ha dashboard > dashboard.yaml\n  hrvd ha blueprints --athlete alex --write /config\n  hrvd ha recorder\n  hrvd ha discovery --json"
    )]
    Ha(super::ha::HaArgs),
    /// Find out what does not work: adapter, bus, broker, clock, disk
    Doctor,
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n  hrvd completions bash | sudo tee /usr/share/bash-completion/completions/hrvd")]
    Completions {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write the manual pages into a directory; used when packages are made
    #[command(hide = true)]
    Man {
        /// The directory
        dir: PathBuf,
    },
}

/// What to do with the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Report every error and every warning at once
    #[command(
        after_help = "Exit code 0 if the daemon would start with it, 2 if not.\n\nExample:\n  hrvd config check --config ./hrvd.toml"
    )]
    Check,
    /// Print the configuration in force, as TOML
    Show {
        /// Say where each value comes from
        #[arg(long)]
        origin: bool,
    },
}

/// How fast time passes in a replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as it can be computed.
    Max,
    /// So many times real time.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse::<f64>() {
            Ok(n) if (0.1..=10_000.0).contains(&n) => Ok(Self::Times(n)),
            _ => Err("neither max nor a factor between 0.1 and 10000".to_owned()),
        }
    }
}

fn postures() -> impl TypedValueParser<Value = Posture> {
    PossibleValuesParser::new(Posture::ALL.iter().map(|p| p.as_str())).try_map(|word| word.parse::<Posture>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_lists_every_exit_code() {
        let help = Cli::command().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(&format!("  {}  {}", exit.code(), exit.meaning())), "{help}");
        }
    }

    #[test]
    fn every_command_and_flag_is_explained() {
        fn walk(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments().filter(|a| !matches!(a.get_id().as_str(), "help" | "version")) {
                assert!(arg.get_help().is_some(), "{} {}", command.get_name(), arg.get_id());
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }

    #[test]
    fn speed_is_a_factor_or_max() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("2.5".parse(), Ok(Speed::Times(2.5)));
        for bad in ["", "0", "-1", "NaN", "inf", "fast", "1e9"] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
    }

    #[test]
    fn verbosity_becomes_a_flag_layer() {
        let request = |args: &[&str]| Cli::try_parse_from(args).map(|cli| cli.global.request()).unwrap();
        assert!(request(&["hrvd", "run"]).overrides.is_empty());
        for (flag, level) in
            [("-v", "info,hrvd=debug"), ("-vv", "debug"), ("-vvvv", "trace"), ("-q", "warn"), ("-qq", "error")]
        {
            // Before and after the command.
            for args in [["hrvd", flag, "run"], ["hrvd", "run", flag]] {
                assert_eq!(request(&args).overrides[0].value, level, "{args:?}");
            }
        }
        assert!(Cli::try_parse_from(["hrvd", "run", "-v", "-q"]).is_err());
    }
}
