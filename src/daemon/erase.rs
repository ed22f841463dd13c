//! A person leaves for good: no strap, no topic, no row.

use super::hub::Hub;
use crate::control::{Kind, Refusal};
use crate::engine::{Command, Input};
use crate::units::{AthleteId, StrapId};
use serde_json::{Value, json};
use tokio::sync::oneshot;

impl Hub {
    /// Forgets a person's straps, clears the person's topics, then has the store delete everything. Answered when it is
    /// gone from the card.
    pub(super) fn erase(&mut self, athlete: &str, reply: oneshot::Sender<Result<Value, Refusal>>) {
        let who: AthleteId = match athlete.parse() {
            Ok(who) => who,
            Err(e) => {
                let _ = reply.send(Err(Refusal::new(format!("{e}")).kind(Kind::Invalid)));
                return;
            }
        };
        let now = self.clock.now();
        let known = self.roster.athletes.iter().any(|a| a.id == who);
        if self.is_checking(now.mono, &who) {
            self.handle(now, Input::Command(Command::CancelCheck { athlete: who.clone() }));
        }
        let own = |straps: &[crate::engine::Strap]| -> Vec<StrapId> {
            straps.iter().filter(|s| s.athlete == who).map(|s| s.id).collect()
        };
        let straps = own(&self.roster.straps);
        for strap in own(&self.adopted) {
            self.store.forget(strap);
            self.forgotten.insert(strap);
        }
        for strap in &straps {
            self.forget_kept(*strap);
        }
        self.adopted.retain(|s| s.athlete != who);
        self.configured.straps.retain(|s| s.athlete != who);
        self.configured.athletes.retain(|a| a.id != who);
        self.preferences.forget(&who);
        self.desks.forget(&who);
        self.ask_again();
        self.new_roster(now);
        // nothing of it is shown to Home Assistant once more, and nothing written down again
        self.mqtt.forget_announced(&who, &straps);
        let erased = self.store.erase(who.clone());
        tracing::info!("{who} leaves: everything that was stored is being deleted");
        tokio::spawn(async move {
            let answer = match erased.await {
                Ok(Ok(erased)) if erased.total() == 0 && !known => {
                    Err(Refusal::new(format!("nothing is stored of '{who}'")).kind(Kind::NotFound))
                }
                Ok(Ok(erased)) => Ok(json!({"athlete": who.as_str(), "rows": erased.total()})),
                Ok(Err(e)) => Err(Refusal::new(format!("not everything could be deleted: {e}")).hint(e.hint())),
                Err(_) => Err(Refusal::new("hrvd is stopping")),
            };
            let _ = reply.send(answer);
        });
    }
}
