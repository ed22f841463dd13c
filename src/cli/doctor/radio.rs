//! What the machine itself does to the radio: Wi-Fi in the same band on the same chip, switches, the power supply.

use super::{Finding, fail, ok, warn};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Below this is the band that Bluetooth uses, MHz.
const SAME_BAND: u32 = 3000;

/// Looks around on this machine. `adapter` is the one that is used, `on` whether it is.
pub(super) fn look(adapter: &str, on: bool) -> Vec<Finding> {
    let iw = Command::new("iw").arg("dev").stdin(Stdio::null()).output().ok().filter(|o| o.status.success());
    let iw = iw.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    around(Path::new("/"), iw.as_deref(), adapter, on)
}

fn around(root: &Path, iw: Option<&str>, adapter: &str, on: bool) -> Vec<Finding> {
    let mut out = vec![];
    // one that is on is not the one that is blocked
    out.extend(blocked(root).filter(|_| !on));
    out.extend(wifi(root, iw, adapter));
    out.extend(power(root));
    out
}

/// A switch of the kernel's that keeps Bluetooth off.
fn blocked(root: &Path) -> Option<Finding> {
    let is = |dir: &Path, file: &str, want: &str| fs::read_to_string(dir.join(file)).is_ok_and(|t| t.trim() == want);
    let switch = entries(&root.join("sys/class/rfkill"))
        .find(|d| is(d, "type", "bluetooth") && (is(d, "soft", "1") || is(d, "hard", "1")))?;
    Some(match is(&switch, "hard", "1") {
        true => fail(
            "rfkill",
            "Bluetooth is off by a switch of this machine",
            "look for the switch, or for the setting in its firmware",
        ),
        false => fail("rfkill", "Bluetooth is blocked", "sudo rfkill unblock bluetooth"),
    })
}

/// On a Raspberry Pi, Wi-Fi and Bluetooth are one chip with one antenna; in one band they take turns.
fn wifi(root: &Path, iw: Option<&str>, adapter: &str) -> Option<Finding> {
    let model = fs::read_to_string(root.join("proc/device-tree/model")).unwrap_or_default();
    let model = model.trim_end_matches('\0').trim();
    let up = |net: &PathBuf| fs::read_to_string(net.join("operstate")).is_ok_and(|s| s.trim() == "up");
    let net = entries(&root.join("sys/class/net")).find(|n| n.join("wireless").exists() && up(n))?;
    let name = net.file_name()?.to_string_lossy().into_owned();
    let shared = model.starts_with("Raspberry Pi")
        && bus(&net) == "sdio"
        && bus(&root.join("sys/class/bluetooth").join(adapter)) != "usb";
    let mhz = iw.and_then(|text| channel(text, &name));
    let hint = "put this Pi's Wi-Fi on 5 GHz or use a cable; or use a USB Bluetooth adapter on a short extension cable";
    Some(match (shared, mhz) {
        (true, Some(mhz)) if mhz < SAME_BAND => warn(
            "Wi-Fi",
            format!(
                "{name} is on 2.4 GHz ({mhz} MHz), and on this {model} it shares chip and antenna with Bluetooth: beats may get lost"
            ),
            hint,
        ),
        (true, None) => warn(
            "Wi-Fi",
            format!(
                "{name} shares chip and antenna with Bluetooth on this {model}; whether it is on 2.4 GHz cannot be seen"
            ),
            "sudo apt-get install iw, then sudo hrvd doctor again; on 5 GHz all is well",
        ),
        (false, Some(mhz)) if mhz < SAME_BAND => {
            ok("Wi-Fi", format!("{name} is on 2.4 GHz ({mhz} MHz), on a chip of its own"))
        }
        (_, Some(mhz)) => ok("Wi-Fi", format!("{name} is on {mhz} MHz, out of Bluetooth's way")),
        (false, None) => return None,
    })
}

/// The Raspberry Pi's own watch over its supply.
fn power(root: &Path) -> Option<Finding> {
    let is = |dir: &Path, file: &str, want: &str| fs::read_to_string(dir.join(file)).is_ok_and(|t| t.trim() == want);
    let low =
        entries(&root.join("sys/class/hwmon")).find(|d| is(d, "name", "rpi_volt") && is(d, "in0_lcrit_alarm", "1"));
    low.map(|_| {
        warn(
            "power",
            "the supply voltage was too low since the start",
            "use the power supply made for this Pi: radio and card suffer first",
        )
    })
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let mut all: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    all.sort();
    all.into_iter()
}

/// The bus that a device hangs on: `usb`, `sdio`, `serial`; empty if it cannot be told.
fn bus(device: &Path) -> String {
    let link = fs::read_link(device.join("device/subsystem")).unwrap_or_default();
    link.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The frequency of an interface in what `iw dev` prints, MHz.
fn channel(iw: &str, name: &str) -> Option<u32> {
    let mut here = false;
    for line in iw.lines().map(str::trim) {
        if let Some(interface) = line.strip_prefix("Interface ") {
            here = interface == name;
        } else if let (true, Some((_, rest))) = (here && line.starts_with("channel "), line.split_once('(')) {
            return rest.split_once(" MHz").and_then(|(mhz, _)| mhz.parse().ok());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Verdict;
    use std::os::unix::fs::symlink;

    const IW: &str = "phy#0\n\tUnnamed/non-netdev interface\n\t\twdev 0x2\n\tInterface wlan0\n\t\tifindex 3\n\t\ttype managed\n\
                      \t\tchannel FREQ MHz), width: 20 MHz, center1: 2437 MHz\n";

    fn iw(channel: &str) -> String {
        IW.replace("FREQ", channel)
    }

    /// A machine: its model, the buses of Wi-Fi and of Bluetooth.
    fn machine(model: &str, net: &str, bluetooth: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("proc/device-tree/model", model);
        put("sys/class/net/wlan0/operstate", "up\n");
        put("sys/class/net/lo/operstate", "unknown\n");
        fs::create_dir_all(root.path().join("sys/class/net/wlan0/wireless")).unwrap();
        for (device, bus) in [("net/wlan0", net), ("bluetooth/hci0", bluetooth)] {
            let dir = root.path().join("sys/class").join(device).join("device");
            fs::create_dir_all(&dir).unwrap();
            symlink(format!("../../../bus/{bus}"), dir.join("subsystem")).unwrap();
        }
        root
    }

    #[test]
    fn the_same_band_on_the_same_chip_is_worth_a_word() {
        const PI: &str = "Raspberry Pi 4 Model B Rev 1.4\0";
        for (model, net, bluetooth, iw, verdict, part) in [
            (PI, "sdio", "serial", Some(iw("6 (2437")), Some(Verdict::Warn), "is on 2.4 GHz (2437 MHz)"),
            (PI, "sdio", "serial", Some(iw("36 (5180")), Some(Verdict::Ok), "is on 5180 MHz"),
            (PI, "sdio", "serial", None, Some(Verdict::Warn), "cannot be seen"),
            // a dongle for either is another chip
            (PI, "sdio", "usb", Some(iw("6 (2437")), Some(Verdict::Ok), "chip of its own"),
            (PI, "usb", "serial", Some(iw("6 (2437")), Some(Verdict::Ok), "chip of its own"),
            ("", "pci", "usb", Some(iw("6 (2437")), Some(Verdict::Ok), "chip of its own"),
            ("", "pci", "usb", None, None, ""),
        ] {
            let root = machine(model, net, bluetooth);
            let found = wifi(root.path(), iw.as_deref(), "hci0");
            assert_eq!(found.as_ref().map(|f| f.verdict), verdict, "{model} {net} {bluetooth} {found:?}");
            assert!(found.is_none_or(|f| f.text.contains(part) && !f.text.contains('\0')), "{part}");
        }
        // without Wi-Fi, or with a cable, there is nothing to say
        let root = machine(PI, "sdio", "serial");
        fs::write(root.path().join("sys/class/net/wlan0/operstate"), "down\n").unwrap();
        assert!(around(root.path(), Some(&iw("6 (2437")), "hci0", true).is_empty());
    }

    #[test]
    fn switches_and_a_weak_supply_are_seen() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("sys/class/rfkill/rfkill0/type", "wlan\n");
        put("sys/class/rfkill/rfkill0/soft", "1\n");
        put("sys/class/rfkill/rfkill1/type", "bluetooth\n");
        put("sys/class/rfkill/rfkill1/soft", "0\n");
        put("sys/class/rfkill/rfkill1/hard", "0\n");
        put("sys/class/hwmon/hwmon0/name", "rpi_volt\n");
        put("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "0\n");
        assert!(around(root.path(), None, "hci0", false).is_empty());
        put("sys/class/rfkill/rfkill1/soft", "1\n");
        put("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "1\n");
        let found = around(root.path(), None, "hci0", false);
        assert_eq!(found.iter().map(|f| f.what).collect::<Vec<_>>(), ["rfkill", "power"]);
        assert!(found[0].hint.as_ref().unwrap().contains("rfkill unblock"));
        put("sys/class/rfkill/rfkill1/hard", "1\n");
        assert!(around(root.path(), None, "hci0", false)[0].text.contains("switch"));
    }
}
