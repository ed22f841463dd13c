//! From what was said to files in place and a daemon that has read them.

use super::broker::Login;
use super::files::{Change, Kind, Staged, Wanted};
use super::talk::Talk;
use super::{Setup, Stop, athlete_file, service};
use crate::config::{self, Config, DEFAULT_FILE, Loaded};
use crate::units::AthleteId;
use std::path::Path;

impl Setup<'_> {
    /// Shows what changes, writes it if that is wanted, and has the daemon read it.
    pub(super) async fn write(
        &mut self,
        loaded: &Loaded,
        login: Option<&Login>,
        (athlete, name): &(AthleteId, Option<String>),
        talk: &mut Talk<'_, '_>,
    ) -> Result<Config, Stop> {
        let wanted = self.wanted(loaded, login, athlete, name.as_deref())?;
        let mut changes = vec![];
        for w in wanted {
            let named = |e: std::io::Error| Stop::failed(format!("{}: {e}", w.path.display()), "sudo hrvd setup");
            match w.change().map_err(named)? {
                Change::Nothing => {}
                Change::Edited(_) => {
                    let shown: Vec<String> =
                        String::from_utf8_lossy(&w.text).lines().skip(1).map(|l| format!("  {l}")).collect();
                    return Err(Stop::failed(
                        format!("{} was edited by hand and is left alone", w.path.display()),
                        format!("put this into it, or move it away and run setup again:\n{}", shown.join("\n")),
                    ));
                }
                change => changes.push((w, change)),
            }
        }
        if changes.is_empty() {
            talk.say("The configuration says all that already; nothing to write.");
            let unit = self.unit().filter(|_| !self.args.dry_run);
            if let (Some(unit), None) = (unit, service::status(&loaded.config.control_socket)) {
                talk.say(format!("hrvd does not run: systemctl start {unit}"));
                service::systemctl(&["start", &unit])?;
                self.settle(&loaded.config, talk).await?;
            }
            return Ok(loaded.config.clone());
        }
        talk.say("This will be written:");
        for line in changes.iter().flat_map(|(w, change)| w.show(change)) {
            talk.say(format!("  {line}"));
        }
        let unit = self.unit();
        if let Some(unit) = &unit {
            talk.say(format!("  then: systemctl restart {unit}"));
        }
        if self.args.dry_run || !talk.agree("Write it").await? {
            return if self.args.dry_run { Ok(loaded.config.clone()) } else { Err(Stop::Cancelled) };
        }
        let config = self.commit(&changes)?;
        match &unit {
            Some(unit) => {
                if changes.iter().any(|(w, _)| w.kind == Kind::DropIn) {
                    service::systemctl(&["daemon-reload"])?;
                }
                service::systemctl(&["restart", unit])?;
                self.settle(&config, talk).await?;
            }
            None if service::status(&config.control_socket).is_some() => {
                talk.say("Start hrvd again, so that it reads what was written.");
            }
            None => {}
        }
        Ok(config)
    }

    /// The files that say all this, without those that say nothing new.
    fn wanted(
        &self,
        loaded: &Loaded,
        login: Option<&Login>,
        athlete: &AthleteId,
        name: Option<&str>,
    ) -> Result<Vec<Wanted>, Stop> {
        let conf = self.main.with_file_name("conf.d");
        let mut out = vec![];
        if let Some(login) = login {
            let in_force = Login::of(&loaded.config);
            let path = conf.join("50-setup.toml");
            let same = |now: &Login| Login { password: login.password.clone(), ..now.clone() } == *login;
            // a broker that nobody configured is written down too: the default may be another one some day
            let mentioned = loaded.settings.iter().any(|s| s.key == "mqtt.host" && s.origin != config::Origin::Default);
            if path.exists() || !mentioned || !in_force.as_ref().is_some_and(same) {
                out.push(Wanted::fragment(path, &login.lines()));
            }
            let kept = config::credential_beside(&self.main);
            let unit = self.args.service.as_deref().unwrap_or("hrvd");
            let drop_in = self.args.unit_dir.join(format!("{unit}.service.d/encrypted-password.conf"));
            match &login.password {
                // once encrypted, the drop-in hides a plain file
                Some(password) if self.args.encrypt || drop_in.exists() => {
                    let sealed = kept.with_file_name("mqtt-password.cred");
                    let line = drop_in_text(&sealed);
                    out.push(Wanted { path: sealed, text: service::encrypt(password)?, kind: Kind::Secret });
                    out.push(Wanted { path: drop_in, text: line.into_bytes(), kind: Kind::DropIn });
                }
                // a file that the configuration names, and that holds this password, is its owner's
                Some(password) if kept.exists() || in_force.and_then(|now| now.password).as_ref() != Some(password) => {
                    out.push(Wanted { path: kept, text: format!("{password}\n").into_bytes(), kind: Kind::Secret });
                }
                _ => {}
            }
        }
        if let Some(name) = name {
            let text = |s: &str| toml::Value::String(s.to_owned()).to_string();
            let body = format!("[[athlete]]\nslug = {}\nname = {}\n", text(athlete.as_str()), text(name));
            out.push(Wanted::fragment(athlete_file(&self.main, athlete), &body));
        }
        Ok(out)
    }

    /// Puts all in place, and back if the whole is no configuration then.
    fn commit(&mut self, changes: &[(Wanted, Change)]) -> Result<Config, Stop> {
        let failed = |e: std::io::Error| Stop::failed(e.to_string(), "sudo hrvd setup");
        let wanted: Vec<Wanted> = changes.iter().map(|(w, _)| w.clone()).collect();
        Staged::write(&wanted).and_then(Staged::commit).map_err(failed)?;
        match config::load(&self.global.request(), self.around) {
            Ok(loaded) => {
                if wanted.iter().any(|w| w.kind == Kind::DropIn) {
                    // the same password in the clear has no use any more
                    let _ = std::fs::remove_file(config::credential_beside(&self.main));
                }
                self.written = wanted.into_iter().map(|w| w.path).collect();
                Ok(loaded.config)
            }
            Err(e) => {
                for (w, change) in changes {
                    let _ = match change {
                        Change::Replace(old) => {
                            let old = Wanted { text: old.clone().into_bytes(), ..w.clone() };
                            Staged::write(&[old]).and_then(Staged::commit).map(drop)
                        }
                        _ => std::fs::remove_file(&w.path),
                    };
                }
                Err(Stop::failed(
                    format!("together with the other files this is no configuration:\n{e}"),
                    "hrvd config check",
                ))
            }
        }
    }

    /// The unit that runs the daemon of this configuration.
    fn unit(&self) -> Option<String> {
        let usual = self.main == Path::new(DEFAULT_FILE);
        let unit = self.args.service.clone().or_else(|| usual.then(|| "hrvd".to_owned()))?;
        (self.args.service.is_some() || service::is_known(&unit)).then_some(unit)
    }

    async fn settle(&self, config: &Config, talk: &mut Talk<'_, '_>) -> Result<(), Stop> {
        let status = talk.unless_cancelled(service::settled(&config.control_socket)).await?;
        match status {
            None => Err(Stop::failed("hrvd does not answer after its restart", "journalctl -u hrvd says why")),
            Some(s) if s["mqtt"] == "connected" || s["mqtt"] == "disabled" => {
                talk.say("hrvd runs with it.");
                Ok(())
            }
            Some(s) => {
                talk.say(format!("hrvd runs; MQTT is {}", s["mqtt_detail"].as_str().unwrap_or("not connected yet")));
                Ok(())
            }
        }
    }
}

/// The plain file and its fallback are taken back first; that empties the whole list, so the boot id is named again.
fn drop_in_text(sealed: &Path) -> String {
    format!(
        "[Service]\nLoadCredential=\nSetCredential=\nLoadCredential=boot-id:/proc/sys/kernel/random/boot_id\n\
         LoadCredentialEncrypted=mqtt-password:{}\n",
        sealed.display()
    )
}
