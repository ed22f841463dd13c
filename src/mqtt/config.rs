//! What the MQTT edge has to be told, and which of it is refused.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of the MQTT edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MqttConfig {
    /// Host name or address of the broker.
    pub host: String,
    /// Port of the broker.
    pub port: u16,
    /// Encryption; `None` is plain TCP.
    pub tls: Option<TlsOptions>,
    /// User name at the broker.
    pub username: Option<String>,
    /// File that holds the password. It is read again at each connection, so a corrected one needs no restart.
    pub password_file: Option<PathBuf>,
    /// First level(s) of all our topics.
    pub base_topic: String,
    /// Which gateway this is; second level of our topics, part of every unique id. Must never change.
    pub gateway_id: String,
    /// Home Assistant's discovery prefix.
    pub discovery_prefix: String,
    /// Where Home Assistant says that it has started.
    pub ha_status_topic: String,
    /// A silent link is probed after this time; a dead one is noticed after at most twice of it.
    pub keep_alive: Duration,
    /// Waiting times; the defaults are right outside of tests.
    pub timing: Timing,
}

/// How the link is encrypted. There is no way to skip the verification of the broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of the authority that signed the broker's certificate; `None` takes the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of our own certificate (chain) and key, if the broker wants one.
    pub client: Option<ClientCert>,
}

/// A client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// PEM file with the certificate, then its intermediates.
    pub cert_file: PathBuf,
    /// PEM file with the private key (PKCS#8, PKCS#1 or SEC1).
    pub key_file: PathBuf,
}

/// Waiting times of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// First wait after a lost link.
    pub backoff_min: Duration,
    /// Longest wait after a lost link.
    pub backoff_max: Duration,
    /// Wait after a refusal (password, certificate): asking faster would only fill the broker's log.
    pub refused_wait: Duration,
    /// A link that lasted this long makes the waits short again.
    pub stable: Duration,
    /// Longest wait for a PUBACK or CONNACK; then the link is given up.
    pub ack: Duration,
    /// Longest wait for our own status message to come back.
    pub echo: Duration,
    /// Shortest and longest wait between Home Assistant's birth message and our answer.
    pub birth: (Duration, Duration),
    /// Longest time for a farewell.
    pub farewell: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            backoff_min: s(1),
            backoff_max: s(60),
            refused_wait: s(30),
            stable: s(60),
            ack: s(10),
            echo: s(5),
            birth: (s(1), s(5)),
            farewell: s(3),
        }
    }
}

impl Default for MqttConfig {
    fn default() -> Self {
        Self {
            host: "localhost".into(),
            port: 1883,
            tls: None,
            username: None,
            password_file: None,
            base_topic: "hrvd".into(),
            gateway_id: "gateway".into(),
            discovery_prefix: "homeassistant".into(),
            ha_status_topic: "homeassistant/status".into(),
            keep_alive: Duration::from_secs(30),
            timing: Timing::default(),
        }
    }
}

/// Why the settings cannot work. Each names the setting first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No host.
    #[error("host: must not be empty or hold spaces")]
    Host,
    /// The TLS layer of the client cannot name an IPv6 address.
    #[error("host: TLS to an IPv6 address does not work; use the name in the broker's certificate")]
    TlsIpv6,
    /// Port zero.
    #[error("port: must not be 0")]
    Port,
    /// A topic or prefix that MQTT or Home Assistant would not take.
    #[error("{setting}: '{value}' is not a topic: 1 to 128 bytes, no + # or control characters, no empty level")]
    Topic {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// The gateway id is not a slug.
    #[error("gateway_id: '{0}' is not a short name: 1 to 32 of a-z, 0-9, _ and -, starting with a letter or digit")]
    GatewayId(String),
    /// Out of range.
    #[error("keep_alive: must lie between 1 s and 3600 s")]
    KeepAlive,
    /// A password without a user is not sent by MQTT 3.1.1.
    #[error("password_file: needs a username beside it")]
    PasswordWithoutUser,
    /// A minimum above its maximum, or a wait of zero.
    #[error("timing: {0}")]
    Timing(&'static str),
}

impl MqttConfig {
    /// Refuses what cannot work, before anything is started.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.host.is_empty() || self.host.contains(char::is_whitespace) || self.host.contains('\0') {
            return Err(ConfigError::Host);
        }
        if self.tls.is_some() && self.host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok() {
            return Err(ConfigError::TlsIpv6);
        }
        if self.port == 0 {
            return Err(ConfigError::Port);
        }
        for (setting, value) in [
            ("base_topic", &self.base_topic),
            ("discovery_prefix", &self.discovery_prefix),
            ("ha_status_topic", &self.ha_status_topic),
        ] {
            if !is_topic(value) {
                return Err(ConfigError::Topic { setting, value: value.clone() });
            }
        }
        if self.gateway_id.parse::<crate::units::AthleteId>().is_err() {
            return Err(ConfigError::GatewayId(self.gateway_id.clone()));
        }
        // The client library asserts at least one second and sends whole seconds in 16 bits.
        if !(Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&self.keep_alive) {
            return Err(ConfigError::KeepAlive);
        }
        if self.password_file.is_some() && self.username.is_none() {
            return Err(ConfigError::PasswordWithoutUser);
        }
        let t = &self.timing;
        if t.backoff_min.is_zero() || t.backoff_min > t.backoff_max {
            return Err(ConfigError::Timing("backoff_min must be above zero and at most backoff_max"));
        }
        if t.birth.0 > t.birth.1 {
            return Err(ConfigError::Timing("birth: the shortest wait is longer than the longest"));
        }
        if t.ack.is_zero() || t.refused_wait.is_zero() || t.echo.is_zero() {
            return Err(ConfigError::Timing("ack, echo and refused_wait must be above zero"));
        }
        Ok(())
    }

    /// Client id at the broker. Fixed, so that a link that died half is taken over instead of living on beside ours.
    pub fn client_id(&self) -> String {
        format!("hrvd-{}", self.gateway_id)
    }
}

/// Whether a text can be the start of topics.
fn is_topic(s: &str) -> bool {
    (1..=128).contains(&s.len())
        && !s.starts_with('$')
        && !s.contains(['+', '#'])
        && !s.chars().any(char::is_control)
        && s.split('/').all(|level| !level.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        assert_eq!(MqttConfig::default().validate(), Ok(()));
    }

    #[test]
    fn each_bad_setting_is_named() {
        let bad = |change: fn(&mut MqttConfig)| {
            let mut c = MqttConfig::default();
            change(&mut c);
            c.validate().expect_err("must be refused").to_string()
        };
        assert!(bad(|c| c.host = String::new()).starts_with("host"));
        assert!(bad(|c| c.host = "a b".into()).starts_with("host"));
        assert!(bad(|c| c.port = 0).starts_with("port"));
        for topic in ["", "/hrvd", "hrvd/", "a//b", "a/+", "#", "$SYS", "a\nb"] {
            let mut c = MqttConfig { base_topic: topic.into(), ..MqttConfig::default() };
            assert!(c.validate().expect_err(topic).to_string().starts_with("base_topic"), "{topic}");
            c.base_topic = "home/hrvd".into();
            c.discovery_prefix = topic.into();
            assert!(c.validate().expect_err(topic).to_string().starts_with("discovery_prefix"), "{topic}");
        }
        assert!(bad(|c| c.gateway_id = "Living Room".into()).starts_with("gateway_id"));
        assert!(bad(|c| c.keep_alive = Duration::from_millis(300)).starts_with("keep_alive"));
        assert!(bad(|c| c.keep_alive = Duration::from_secs(70_000)).starts_with("keep_alive"));
        assert!(bad(|c| c.password_file = Some("/x".into())).starts_with("password_file"));
        assert!(bad(|c| c.timing.backoff_min = Duration::from_secs(90)).starts_with("timing"));
        assert!(
            bad(|c| {
                c.tls = Some(TlsOptions::default());
                c.host = "::1".into();
            })
            .starts_with("host")
        );
    }
}
