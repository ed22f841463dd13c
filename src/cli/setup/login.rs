//! The way to the broker, asked and tried until it lets us in.

use super::broker::{self, Login, Place, is_user};
use super::talk::Talk;
use super::{Setup, Stop, service};
use crate::config::{self, Config};
use std::path::Path;

impl Setup<'_> {
    /// Finds the broker and logs in; `None` if there shall be none, or the daemon alone knows how.
    pub(super) async fn broker(&self, config: &Config, talk: &mut Talk<'_, '_>) -> Result<Option<Login>, Stop> {
        let args = self.args;
        let Some(now) = Login::of(config) else {
            talk.say("MQTT is switched off by the configuration (mqtt.enabled = false): no broker is needed.");
            return Ok(None);
        };
        let says_nothing = args.broker.is_none() && !args.tls && args.username.is_none();
        if says_nothing && service::status(&config.control_socket).is_some_and(|s| s["mqtt"] == "connected") {
            talk.say(format!("Broker: {}, and hrvd is connected to it.", now.place));
            return Ok(None);
        }
        let usual = if args.tls { 8883 } else { 1883 };
        let parse = |text: &str| Place::parse(text, usual).map_err(|e| Stop::failed(e, "--broker HOST or HOST:PORT"));
        let mut login = Login {
            tls: args.tls || (args.broker.is_none() && now.tls),
            ca_file: args.ca_file.clone().or(now.ca_file.clone()),
            username: args.username.clone().or(now.username.clone()),
            password: match &args.password_file {
                Some(path) => Some(read_password(path)?),
                // somebody else's password is not this user's
                None if args.username.is_none() || args.username == now.username => now.password.clone(),
                None => None,
            },
            place: match &args.broker {
                Some(text) => parse(text)?,
                None => self.place(&now, talk).await?,
            },
        };
        login.tls |= login.place.port == 8883;
        for _ in 0..8 {
            let Err(why) = talk.unless_cancelled(login.place.answers()).await? else { break };
            let why = format!("nothing answers at {}: {why}", login.place);
            let hint = "is a broker running there? sudo apt-get install mosquitto installs one on this machine; in Home \
                        Assistant it is the add-on Mosquitto broker";
            if !talk.is_asking() {
                return Err(Stop::failed(why, hint));
            }
            talk.say(format!("{why}\n→ {hint}"));
            login.place = parse(&talk.ask("Host of the broker", None, "--broker").await?)?;
            login.tls |= login.place.port == 8883;
        }
        self.log_in(login, config, talk).await.map(Some)
    }

    /// The configured broker if it answers, or one that is found.
    async fn place(&self, now: &Login, talk: &mut Talk<'_, '_>) -> Result<Place, Stop> {
        talk.say("Looking for a broker.");
        let found = match talk.unless_cancelled(now.place.answers()).await? {
            Ok(()) => vec![now.place.clone()],
            Err(_) => talk.unless_cancelled(broker::search()).await?,
        };
        let first = found.first().map(ToString::to_string);
        for place in &found {
            talk.say(format!("  found: {place}"));
        }
        if first.is_none() {
            talk.say("  found: none");
        }
        let answer = talk.ask("Host of the broker", first.as_deref(), "--broker").await?;
        Place::parse(&answer, 1883).map_err(|e| Stop::failed(e, "--broker HOST or HOST:PORT"))
    }

    async fn log_in(&self, mut login: Login, config: &Config, talk: &mut Talk<'_, '_>) -> Result<Login, Stop> {
        for _ in 0..8 {
            let outcome = talk.unless_cancelled(login.test(config)).await?;
            let Err(e) = outcome else {
                let who = login.username.as_ref().map_or("without a user name".to_owned(), |u| format!("as {u}"));
                talk.say(format!("Broker: {} lets us in {who}, and takes our subscription.", login.place));
                return Ok(login);
            };
            let hint = e.hint.unwrap_or("is it an MQTT broker? its log says more");
            if !talk.is_asking() {
                return Err(Stop::failed(format!("{}: {e}", login.place), hint));
            }
            talk.say(format!("{}: {e}\n→ {hint}", login.place));
            if e.why.starts_with("TLS") {
                let file = talk.ask("File of the authority that signed its certificate", None, "--ca-file").await?;
                login.ca_file = Some(file.into());
                continue;
            }
            let user = talk.ask("User name at the broker", login.username.as_deref().or(Some("hrvd")), "--username");
            login.username = Some(user.await?).filter(|u| is_user(u));
            login.password = Some(talk.secret("Password", "--password-file").await?).filter(|p| !p.is_empty());
        }
        Err(Stop::failed("the broker does not let us in", "look at its log, then run setup again"))
    }
}

fn read_password(path: &Path) -> Result<String, Stop> {
    let file = config::PasswordFile { path: path.to_owned() };
    let read = file.read().map(|s| s.expose().to_owned());
    read.map_err(|e| Stop::failed(e.to_string(), "--password-file names a file that holds the password alone"))
}
