//! Implements `bakeline completions`: prints the completions of a shell.

use clap::{Command, CommandFactory as _};

use crate::cli::{Cli, Completions};
use crate::error::Result;
use crate::ui;

pub(crate) fn run(args: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible_command(), "bakeline", &mut script);
    ui::data(&String::from_utf8_lossy(&script));
    Ok(0)
}

/// Returns the command line without hidden commands, which the generators would list.
fn visible_command() -> Command {
    let all = Cli::command();
    let visible = all.get_subcommands().filter(|child| !child.is_hide_set());
    Command::new("bakeline")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .args(all.get_arguments().cloned())
        .subcommands(visible.cloned().collect::<Vec<_>>())
}
