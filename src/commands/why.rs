//! Owns `bakeline why`: one image's inputs now and in its last release.

use std::path::Path;

use super::{context, gather};
use crate::cli::Why as Args;
use crate::error::{Error, Kind, Result};
use crate::plan::change::is_digest;
use crate::plan::release::{Explanation, InputComparison, explain_image};
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let loaded = context::load(dir)?;
    let image = context::image(&loaded.catalog, &args.image)?;
    let inventory = gather::inventory(&loaded, &args.inventory, gather::Need::Manifests).await?;
    let Some(why) = explain_image(&loaded.catalog, &inventory, &image) else {
        let text = format!(
            "nothing of `{image}` is released in catalog `{}`",
            loaded.catalog.settings.name
        );
        return Err(
            Error::new(Kind::NotFound, text).hint("`bakeline plan` shows what a release would do")
        );
    };
    if args.json {
        ui::json(&why);
    } else {
        show(&why);
    }
    Ok(0)
}

fn show(why: &Explanation) {
    let commit = why
        .commit
        .as_ref()
        .map_or_else(String::new, |c| format!(" at commit {c}"));
    ui::say(&format!(
        "{} {} ({}) was built by run {}{commit}",
        why.image, why.version, why.ami, why.run
    ));
    if !why.build_reasons.is_empty() {
        ui::say(&format!("then because: {}", why.build_reasons.join("; ")));
    }
    ui::say(&format!(
        "now: {} because {}",
        why.verdict,
        why.reasons.join("; ")
    ));
    if !why.manifest {
        ui::say("its manifest is not in the store: only digests can be compared");
    }
    let rows: Vec<Vec<String>> = why
        .digests
        .iter()
        .chain(&why.inputs)
        .map(|c| row(&c.input, c))
        .chain(
            why.controls
                .iter()
                .map(|c| row(&format!("control {}", c.input), c)),
        )
        .collect();
    ui::data(&ui::table::columns(
        &["INPUT", "MOVED", "THEN", "NOW"],
        &rows,
    ));
}

fn row(name: &str, compared: &InputComparison) -> Vec<String> {
    let moved = match compared.changed {
        Some(true) => "moved",
        Some(false) => "-",
        None => "?",
    };
    vec![
        name.to_owned(),
        moved.to_owned(),
        short(compared.then.as_ref()),
        short(compared.now.as_ref()),
    ]
}

/// A digest's first twelve characters tell two apart; other values as they are.
fn short(value: Option<&String>) -> String {
    match value {
        None => "-".to_owned(),
        Some(text) if is_digest(text) => text.chars().take(12).collect(),
        Some(text) => text.clone(),
    }
}
