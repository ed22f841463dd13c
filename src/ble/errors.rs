//! What BlueZ and D-Bus mean by their errors. Only their text can be had: btleplug boxes the error, and the crate that it
//! comes from is not ours to name.

use super::call::Failure;

impl Failure {
    /// The D-Bus error by its text, message and name. The order matters: names first, vague words last.
    pub(super) fn from_dbus_text(text: &str) -> Failure {
        const TABLE: [(&str, Failure); 41] = [
            ("UnknownObject", Failure::Gone),
            ("UnknownMethod", Failure::Gone),
            ("UnknownInterface", Failure::Gone),
            ("DoesNotExist", Failure::Gone),
            ("doesn't exist", Failure::Gone),
            ("Failed to send message", Failure::BusLost),
            ("Error.Disconnected", Failure::BusLost),
            ("Error.NoServer", Failure::BusLost),
            ("Error.FileNotFound", Failure::BusLost),
            ("Failed to connect to socket", Failure::BusLost),
            ("Connection is closed", Failure::BusLost),
            ("ServiceUnknown", Failure::NoService),
            ("NameHasNoOwner", Failure::NoService),
            ("Error.Spawn", Failure::NoService),
            ("recipient disconnected", Failure::NoService),
            ("AccessDenied", Failure::Denied),
            ("AuthFailed", Failure::Denied),
            ("NotAuthorized", Failure::Denied),
            // The controller's limit, as a word (from BlueZ 5.62 on) and as errno's text (before); no memory for one
            // more link means the same.
            ("concurrent-connection-limit", Failure::Full),
            ("Too many links", Failure::Full),
            ("connection-memory-allocation", Failure::Full),
            // BlueZ 5.66 and 5.82 word it differently.
            ("InProgress", Failure::InProgress),
            ("In Progress", Failure::InProgress),
            ("already in progress", Failure::InProgress),
            ("NotReady", Failure::AdapterOff),
            ("Not Ready", Failure::AdapterOff),
            ("Input/output error", Failure::AdapterOff),
            ("NotConnected", Failure::NotConnected),
            ("Not connected", Failure::NotConnected),
            ("connection-abort", Failure::Refused),
            ("connection-canceled", Failure::Refused),
            ("connection-refused", Failure::Refused),
            ("connection-timeout", Failure::Timeout),
            // before 5.62 they are errno's texts
            ("connection abort", Failure::Refused),
            ("Connection refused", Failure::Refused),
            ("Connection reset", Failure::Refused),
            ("Host is down", Failure::Timeout),
            ("timed out", Failure::Timeout),
            ("ConnectionAttemptFailed", Failure::Refused),
            ("NoReply", Failure::Timeout),
            ("Time", Failure::Timeout),
        ];
        TABLE.iter().find(|(part, _)| text.contains(part)).map_or(Failure::Other, |(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bluez_errors_are_understood() {
        for (text, kind) in [
            ("D-Bus error: Timeout waiting for reply (org.freedesktop.DBus.Error.Timeout)", Failure::Timeout),
            ("D-Bus error: Operation already in progress (org.bluez.Error.InProgress)", Failure::InProgress),
            ("D-Bus error: In Progress (org.bluez.Error.InProgress)", Failure::InProgress),
            ("D-Bus error: le-connection-abort-by-local (org.bluez.Error.Failed)", Failure::Refused),
            ("D-Bus error: br-connection-canceled (org.bluez.Error.Failed)", Failure::Refused),
            ("D-Bus error: le-connection-concurrent-connection-limit (org.bluez.Error.Failed)", Failure::Full),
            ("D-Bus error: Software caused connection abort (org.bluez.Error.Failed)", Failure::Refused),
            ("D-Bus error: Connection timed out (org.bluez.Error.Failed)", Failure::Timeout),
            ("D-Bus error: Host is down (org.bluez.Error.Failed)", Failure::Timeout),
            ("D-Bus error: Too many links (org.bluez.Error.Failed)", Failure::Full),
            ("D-Bus error: Not connected (org.bluez.Error.Failed)", Failure::NotConnected),
            ("D-Bus error: Resource Not Ready (org.bluez.Error.NotReady)", Failure::AdapterOff),
            ("D-Bus error: Input/output error (org.bluez.Error.Failed)", Failure::AdapterOff),
            (
                "D-Bus error: Method \"Connect\" with signature \"\" on interface \"org.bluez.Device1\" doesn't exist \
                 (org.freedesktop.DBus.Error.UnknownObject)",
                Failure::Gone,
            ),
            ("D-Bus error: Failed to send message (org.freedesktop.DBus.Error.Failed)", Failure::BusLost),
            (
                "D-Bus error: Message recipient disconnected from message bus without replying \
                 (org.freedesktop.DBus.Error.NoReply)",
                Failure::NoService,
            ),
            (
                "D-Bus error: The name org.bluez was not provided by any .service files \
                 (org.freedesktop.DBus.Error.ServiceUnknown)",
                Failure::NoService,
            ),
            ("D-Bus error: Rejected send message (org.freedesktop.DBus.Error.AccessDenied)", Failure::Denied),
            ("D-Bus error: Operation failed with ATT error: 0x0e (org.bluez.Error.Failed)", Failure::Other),
        ] {
            assert_eq!(Failure::from_dbus_text(text), kind, "{text}");
        }
    }
}
