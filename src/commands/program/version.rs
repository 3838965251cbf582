//! Implements `bakeline version`: version, commit, target and features of the program.

use serde::Serialize;

use crate::cli::Version;
use crate::error::Result;
use crate::ui;

/// Origin and properties of this program.
#[derive(Serialize)]
struct BuildInfo {
    version: &'static str,
    /// Set by `make dist`. Other builds do not read it from Git, so that equal sources give equal programs.
    commit: Option<&'static str>,
    target: &'static str,
    features: Vec<&'static str>,
}

pub(crate) fn run(args: &Version) -> Result<u8> {
    let info = build_info();
    if args.json {
        ui::json(&info);
        return Ok(0);
    }
    let features = match info.features.as_slice() {
        [] => "none (without access to AWS)".to_owned(),
        features => features.join(", "),
    };
    ui::data(&format!(
        "bakeline {}\ncommit:   {}\ntarget:   {}\nfeatures: {features}",
        info.version,
        info.commit.unwrap_or("unknown"),
        info.target,
    ));
    Ok(0)
}

fn build_info() -> BuildInfo {
    let live = cfg!(feature = "live").then_some("live");
    BuildInfo {
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("BAKELINE_COMMIT").filter(|commit| !commit.is_empty()),
        target: env!("BAKELINE_TARGET"),
        features: live.into_iter().collect(),
    }
}
