//! Owns `bakeline check`: an image's checks against an unpacked root file system, without any cloud or root rights.

use std::path::Path;

use super::context;
use crate::adapters::system;
use crate::checks::{self, CollectOptions, Outcome, Phase};
use crate::cli::Check;
use crate::error::{Error, Kind, Result};
use crate::ui;

pub(super) fn run(dir: &Path, args: &Check) -> Result<u8> {
    let loaded = context::load(dir)?;
    let image = context::image(&loaded.catalog, &args.image)?;
    let phase = if args.phase == "boot" { Phase::Boot } else { Phase::Build };
    let root =
        system::folder(&args.root).map_err(|e| Error::input("the root file system can't be opened").because(e))?;
    let controls = loaded.catalog.controls(&image);
    let nonce = format!("bakeline{}", std::process::id());
    let script = checks::collector(&controls, CollectOptions { nonce: &nonce, root: Some(&root), phase });
    let out = system::local_shell(&script)
        .map_err(|e| Error::new(Kind::StepFailed, "the collector could not run").because(e))?;
    let facts =
        checks::parse(&nonce, &out).map_err(|e| Error::new(Kind::StepFailed, "the facts are incomplete").because(e))?;
    let verdicts = checks::judge(&controls, &facts, phase);
    if args.json {
        ui::json(&verdicts);
    } else {
        ui::data(&verdicts.iter().map(checks::Verdict::line).collect::<Vec<_>>().join("\n"));
        ui::say(&checks::summary(&verdicts).line());
    }
    let bad = verdicts.iter().filter(|v| matches!(v.outcome, Outcome::Failed | Outcome::Error)).count();
    if bad > 0 {
        return Err(Error::new(
            Kind::ChecksFailed,
            format!("{bad} of {} checks of `{image}` failed on {root}", verdicts.len()),
        ));
    }
    Ok(0)
}
