//! The package's scripts and its unit, as far as they can be tried without root: each script is executed on a directory
//! that stands for the system (`DPKG_ROOT`, as dpkg itself sets it).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const EXPOSURE: &str = "11"; // 1.1, as systemd-analyze counts

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A computer that says of itself what it shall.
fn preinst(action: &str, package: &str, machine: &str) -> Output {
    let tools = tempfile::tempdir().unwrap();
    for (name, says) in [("dpkg", package), ("uname", machine)] {
        let tool = tools.path().join(name);
        std::fs::write(&tool, format!("#!/bin/sh\necho {says}\n")).unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    Command::new("sh").arg(source("packaging/debian/hrvd.preinst")).arg(action).env("PATH", path).output().unwrap()
}

#[test]
fn the_package_refuses_an_armv6_with_a_sentence_and_nothing_else() {
    for action in ["install", "upgrade"] {
        let refused = preinst(action, "armhf", "armv6l");
        assert_eq!(refused.status.code(), Some(1), "{action}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("ARMv6") && said.contains("Zero 2 W") && said.contains("Nothing was changed"), "{said}");
    }
    // a 32-bit system on a 64-bit kernel says aarch64
    for (package, machine) in
        [("armhf", "armv7l"), ("armhf", "aarch64"), ("arm64", "aarch64"), ("amd64", "x86_64"), ("amd64", "armv6l")]
    {
        assert!(preinst("install", package, machine).status.success(), "{package} on {machine}");
    }
    // dpkg undoes a refused upgrade by asking for this one; refusing again would leave it half done
    assert!(preinst("abort-upgrade", "armhf", "armv6l").status.success());
}

/// Files of a system on which everything was used, and what is left of them.
fn left_after(action: &str) -> Vec<String> {
    const FILES: &[&str] = &[
        "etc/hrvd/hrvd.toml",
        "etc/hrvd/conf.d/50-setup.toml",
        "etc/hrvd/credentials/mqtt-password.cred",
        "etc/systemd/system/hrvd.service.d/encrypted-password.conf",
        "etc/systemd/system/hrvd.service.d/override.conf",
        "etc/systemd/system/other.service.d/override.conf",
        "run/hrvd/tail",
        "var/lib/hrvd/hrvd.db",
        "var/lib/other/file",
    ];
    let root = tempfile::tempdir().unwrap();
    for file in FILES {
        let path = root.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let script = source("packaging/debian/hrvd.postrm");
    let status = Command::new("sh").arg(script).arg(action).env("DPKG_ROOT", root.path()).status().unwrap();
    assert!(status.success(), "{action}: {status}");
    FILES.iter().filter(|file| root.path().join(file).exists()).map(|file| (*file).to_owned()).collect()
}

#[test]
fn purging_takes_what_hrvd_wrote_and_leaves_what_the_administrator_did() {
    // dpkg itself takes the conffile away
    let others = "etc/systemd/system/hrvd.service.d/override.conf etc/systemd/system/other.service.d/override.conf var/lib/other/file";
    let left = left_after("purge");
    assert_eq!(left.iter().filter(|file| *file != "etc/hrvd/hrvd.toml").cloned().collect::<Vec<_>>().join(" "), others);
}

#[test]
fn removing_takes_only_the_beats_in_ram_and_an_upgrade_takes_nothing() {
    let all = left_after("upgrade");
    assert_eq!(all.len(), 9);
    let kept: Vec<_> = all.into_iter().filter(|file| file != "run/hrvd/tail").collect();
    assert_eq!(left_after("remove"), kept);
}

#[test]
fn the_unit_is_exposed_no_more_than_it_must_be() {
    let mut analyze = Command::new("systemd-analyze");
    let unit = source("systemd/hrvd.service");
    analyze.args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE]).arg(unit);
    let Ok(said) = analyze.output() else {
        eprintln!("SKIPPED: the unit's exposure was not counted: there is no systemd-analyze");
        return;
    };
    let text = String::from_utf8_lossy(&said.stdout);
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('✗') || line.starts_with('→')).collect();
    assert!(text.contains("level for hrvd.service"), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success(), "more than 1.1:\n{}", rows.join("\n"));
}

/// An archive for systems without Debian's packages: these files, and its installer.
fn archive(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(source("packaging/tarball/install.sh"), dir.path().join("install.sh")).unwrap();
    std::fs::write(dir.path().join("architecture"), "amd64\n").unwrap();
    for (file, text) in files {
        let path = dir.path().join("root").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let mode = if file.contains("/bin/") { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    dir
}

fn install(archive: &Path, system: &Path, args: &[&str]) -> (bool, String) {
    let out = Command::new("sh").arg(archive.join("install.sh")).args(args).env("DESTDIR", system).output().unwrap();
    (out.status.success(), format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)))
}

fn files_below(dir: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path)
            } else {
                out.push(path.strip_prefix(dir).unwrap().display().to_string())
            }
        }
    }
    out.sort();
    out
}

#[test]
fn the_archive_installs_upgrades_and_goes_and_what_was_edited_stays() {
    let program = ("usr/bin/hrvd", "#!/bin/sh\n");
    let unit = ("usr/lib/systemd/system/hrvd.service", "[Unit]\n");
    let first = archive(&[program, unit, ("etc/hrvd/hrvd.toml", "a"), ("usr/share/doc/hrvd/old/page", "")]);
    let system = tempfile::tempdir().unwrap();
    let at = |file: &str| system.path().join(file);
    assert_eq!(install(first.path(), system.path(), &[]), (true, String::new()));
    let list = "usr/share/doc/hrvd/installed-files";
    let all = ["etc/hrvd/hrvd.toml", unit.0, program.0, list, "usr/share/doc/hrvd/old/page"];
    let mut all: Vec<String> = all.map(str::to_owned).to_vec();
    all.sort();
    assert_eq!(files_below(system.path()), all);
    assert_eq!(std::fs::metadata(at(program.0)).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(std::fs::metadata(at(unit.0)).unwrap().permissions().mode() & 0o777, 0o644);

    // a newer one: what was edited stays, what is no part of it any more goes
    std::fs::write(at("etc/hrvd/hrvd.toml"), "mine").unwrap();
    std::fs::create_dir_all(at("var/lib/hrvd")).unwrap();
    std::fs::write(at("var/lib/hrvd/hrvd.db"), "beats").unwrap();
    let second = archive(&[program, unit, ("etc/hrvd/hrvd.toml", "b"), ("usr/share/man/man1/hrvd.1", "")]);
    let (ok, said) = install(second.path(), system.path(), &[]);
    assert!(ok && said.contains("hrvd.toml was edited and stays"), "{said}");
    assert_eq!(std::fs::read_to_string(at("etc/hrvd/hrvd.toml")).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(at("etc/hrvd/hrvd.toml.new")).unwrap(), "b");
    assert!(!at("usr/share/doc/hrvd/old").exists() && at("usr/share/man/man1/hrvd.1").exists());

    let (ok, said) = install(second.path(), system.path(), &["--remove"]);
    assert!(ok && said.contains("/var/lib/hrvd"), "{said}");
    let left = ["etc/hrvd/hrvd.toml", "etc/hrvd/hrvd.toml.new", "var/lib/hrvd/hrvd.db"];
    assert_eq!(files_below(system.path()), left);
    assert!(!install(second.path(), system.path(), &["--remove"]).0, "there is nothing to remove");
}

#[test]
fn an_archive_for_another_computer_changes_nothing() {
    let other = archive(&[("usr/bin/hrvd", "#!/bin/sh\nexit 1\n"), ("etc/hrvd/hrvd.toml", "")]);
    let system = tempfile::tempdir().unwrap();
    let (ok, said) = install(other.path(), system.path(), &[]);
    assert!(!ok && said.contains("does not run here") && said.contains("amd64"), "{said}");
    assert_eq!(files_below(system.path()), Vec::<String>::new());
    assert!(!install(other.path(), system.path(), &["--help"]).0);
}
