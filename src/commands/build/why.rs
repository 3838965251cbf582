//! Implements `bakeline why`: compares the inputs of an image with those of its last release.

use std::path::Path;

use crate::cli::Why as Args;
use crate::commands::support::access::AccessMode;
use crate::commands::support::{context, gather};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::change::is_digest;
use crate::plan::release::{Explanation, InputComparison, explain_image};
use crate::ui;

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
        print_inputs(&why);
    }
    Ok(0)
}

fn print_inputs(why: &Explanation) {
    let commit = why
        .commit
        .as_ref()
        .map_or_else(String::new, |c| format!(" at commit {c}"));
    ui::say(&format!(
        "{} {} ({}) was built by run {}{commit}",
        why.image, why.version, why.ami, why.run
    ));
    if !why.build_reasons.is_empty() {
        ui::say(&format!("reason: {}", why.build_reasons.join("; ")));
    }
    ui::say(&format!(
        "next release: {} ({})",
        why.verdict,
        why.reasons.join("; ")
    ));
    if !why.manifest {
        ui::say("the store has no manifest of this version; only digests are compared");
    }
    let rows: Vec<Vec<String>> = why
        .digests
        .iter()
        .chain(&why.inputs)
        .map(|c| input_row(&c.input, c))
        .chain(
            why.controls
                .iter()
                .map(|c| input_row(&format!("control {}", c.input), c)),
        )
        .collect();
    ui::data(&ui::table::columns(
        &["INPUT", "CHANGED", "THEN", "NOW"],
        &rows,
    ));
}

fn input_row(name: &str, compared: &InputComparison) -> Vec<String> {
    let changed = match compared.changed {
        Some(true) => "yes",
        Some(false) => "-",
        None => "?",
    };
    vec![
        name.to_owned(),
        changed.to_owned(),
        abbreviate(compared.then.as_ref()),
        abbreviate(compared.now.as_ref()),
    ]
}

/// Shortens digests to twelve characters. Other values are unchanged.
fn abbreviate(value: Option<&String>) -> String {
    match value {
        None => "-".to_owned(),
        Some(text) if is_digest(text) => text.chars().take(12).collect(),
        Some(text) => text.clone(),
    }
}
