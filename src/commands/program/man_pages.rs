//! Implements `bakeline man-pages`: writes one man page for each command.

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::adapters::system;
use crate::cli::{Cli, ManPages};
use crate::error::{Error, ErrorKind, Result};

pub(crate) fn run(args: &ManPages) -> Result<u8> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    write_pages(root, args)
        .map_err(|e| Error::new(ErrorKind::StepFailed, "cannot write a man page").because(e))?;
    Ok(0)
}

/// Writes the page of a command and those of its subcommands.
fn write_pages(command: Command, args: &ManPages) -> std::io::Result<()> {
    for child in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        write_pages(child.clone(), args)?;
    }
    let page = Man::new(command)
        .date(&args.date)
        .source(concat!("bakeline ", env!("CARGO_PKG_VERSION")))
        .manual("bakeline manual");
    let mut text = Vec::new();
    page.render(&mut text)?;
    let file = args.folder.join(page.get_filename());
    system::write_atomically(&file, &text, 0o644)
}
