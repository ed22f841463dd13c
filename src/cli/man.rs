//! `hrvd man DIR`: the manual pages of this very program, so that they say what it does. Made when it is packaged.

use super::args::Cli;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::Path;

/// Writes `hrvd.1` and one page for each command.
pub fn run(dir: &Path) -> io::Result<()> {
    let mut root = Cli::command();
    root.build();
    write(&root, dir)
}

fn write(command: &Command, dir: &Path) -> io::Result<()> {
    let mut page = Vec::new();
    let man = render(command, &mut page)?;
    std::fs::write(dir.join(man.get_filename()), page)?;
    command.get_subcommands().filter(|c| !c.is_hide_set()).try_for_each(|c| write(c, dir))
}

fn render(command: &Command, page: &mut Vec<u8>) -> io::Result<Man> {
    let man = Man::new(command.clone())
        .source(concat!("hrvd ", env!("CARGO_PKG_VERSION")))
        .manual("Heart-rate strap gateway");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.get_subcommands().any(|c| !c.is_hide_set()) {
        man.render_subcommands_section(page)?;
    }
    if let Some(notes) = command.get_after_help() {
        verbatim(&notes.to_string(), page)?;
    }
    writeln!(page, ".SH SEE ALSO\n{}", see_also(command))?;
    Ok(man)
}

/// Examples and exit codes keep their lines.
fn verbatim(text: &str, page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH NOTES\n.nf")?;
    for line in text.lines() {
        // a backslash, and a dot or quote at the beginning, mean something to roff
        writeln!(page, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(page, ".fi")
}

fn see_also(command: &Command) -> &'static str {
    if command.get_name() == "hrvd" {
        ".BR hrvd.toml (5),\n.BR systemctl (1),\n.BR bluetoothctl (1)\n.PP\n.I /usr/share/doc/hrvd"
    } else {
        ".BR hrvd (1),\n.BR hrvd.toml (5)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_its_options_and_examples() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path()).unwrap();
        let plain = |name: &str| {
            let page = std::fs::read_to_string(dir.path().join(format!("{name}.1"))).expect(name);
            page.replace("\\-", "-").replace("\\&", "")
        };
        fn check(command: &Command, name: &str, plain: &dyn Fn(&str) -> String) {
            let page = plain(name);
            for arg in command.get_arguments().filter(|a| !a.is_hide_set()) {
                let word = arg.get_long().map_or_else(
                    || arg.get_value_names().map_or(String::new(), |n| n[0].to_string()),
                    |long| format!("--{long}"),
                );
                assert!(page.contains(&word), "{name}: {word}");
            }
            for line in command.get_after_help().map(ToString::to_string).unwrap_or_default().lines() {
                assert!(page.lines().any(|l| l.replace("\\e", "\\") == line), "{name}: {line}");
            }
            for sub in command.get_subcommands() {
                if sub.is_hide_set() {
                    assert!(!dir_has(&page, sub.get_name()), "{name} names {}", sub.get_name());
                } else {
                    check(sub, &format!("{name}-{}", sub.get_name()), plain);
                }
            }
        }
        fn dir_has(page: &str, hidden: &str) -> bool {
            page.contains(&format!("hrvd-{hidden}(1)"))
        }
        let mut root = Cli::command();
        root.build();
        check(&root, "hrvd", &plain);
        assert!(!dir.path().join("hrvd-man.1").exists());
    }
}
