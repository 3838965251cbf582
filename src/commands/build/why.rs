//! Implements `bakeline why`: compares the inputs of an image with those of its last release.

use std::path::Path;

use crate::cli::Why as Args;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::change::is_digest;
use crate::plan::fingerprint::ORDER;
use crate::plan::release::{Explanation, InputComparison, explain_image};
use crate::ui;
use crate::ui::table::Table;

pub(crate) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load_catalog(dir)?;
    let image = context::find_image(&loaded.catalog, &args.image)?;
    let inventory = gather::load_inventory(
        &loaded,
        &args.inventory,
        gather::Need::Manifests,
        AccessMode::Read("why"),
    )
    .await?;
    let Some(why) = explain_image(&loaded.catalog, &inventory, &image) else {
        let text = format!(
            "no version of `{image}` is released in catalog `{}`",
            loaded.catalog.settings.name
        );
        return Err(Error::new(ErrorKind::NotFound, text)
            .hint("`bakeline plan` shows what a release would do"));
    };
    if args.json {
        ui::json(&why);
    } else {
        print_inputs(&why, args.all);
    }
    Ok(0)
}

fn print_inputs(why: &Explanation, all: bool) {
    let commit = why
        .commit
        .as_ref()
        .map_or_else(String::new, |c| format!(" at commit {c}"));
    ui::say_wrapped(&format!(
        "{} {} ({}) was built by run {}{commit}",
        why.image, why.version, why.ami, why.run
    ));
    if !why.build_reasons.is_empty() {
        ui::say_wrapped(&format!("reason: {}", why.build_reasons.join("; ")));
    }
    ui::say_wrapped(&format!(
        "next release: {} ({})",
        why.verdict,
        why.reasons.join("; ")
    ));
    if !why.manifest {
        ui::say_wrapped("the store has no manifest of this version; only digests are compared");
    }
    let controls = why
        .controls
        .iter()
        .map(|c| (format!("control {}", c.input), c));
    let inputs = why.digests.iter().chain(&why.inputs);
    let compared: Vec<(String, &InputComparison)> = inputs
        .map(|c| (c.input.clone(), c))
        .chain(controls)
        .collect();
    let total = compared.len();
    let shown: Vec<_> = compared
        .into_iter()
        .filter(|(_, c)| all || c.changed == Some(true))
        .collect();
    let hidden = total - shown.len();
    if !shown.is_empty() {
        ui::table(&input_table(&shown));
    }
    if hidden > 0 {
        let word = if why.manifest {
            "unchanged"
        } else {
            "unchanged or unknown"
        };
        ui::say_wrapped(&format!(
            "{hidden} of {total} inputs are {word}; --all lists them"
        ));
    }
}

fn input_table(compared: &[(String, &InputComparison)]) -> Table {
    let mut table = Table::with_text(&["CHANGED"], "INPUT");
    for (name, comparison) in compared {
        let name = match name.as_str() {
            ORDER => "order of provisioning",
            name => name,
        };
        let changed = match comparison.changed {
            Some(true) => "yes",
            Some(false) => "-",
            None => "?",
        };
        let then = abbreviate(comparison.then.as_ref());
        let now = abbreviate(comparison.now.as_ref());
        let text = if comparison.changed == Some(false) {
            format!("{name}: {now}")
        } else {
            format!("{name}: {then} -> {now}")
        };
        table.push_text(vec![changed.to_owned()], vec![text]);
    }
    table
}

/// Shortens digests to twelve characters. Other values are unchanged.
fn abbreviate(value: Option<&String>) -> String {
    match value {
        None => "-".to_owned(),
        Some(text) if is_digest(text) => text.chars().take(12).collect(),
        Some(text) => text.clone(),
    }
}
