//! Owns `bakeline check`: an image's or a profile's controls against any target, without building anything.

mod facts;
mod output;
mod subject;
mod target;

use std::path::Path;

use super::context;
use crate::adapters::system::SystemClock;
use crate::checks::{self, Phase};
use crate::cli::Check as Args;
use crate::error::{Error, Kind, Result};
use crate::ports::Clock as _;
use crate::steps::check::CheckReport;
use crate::steps::reports;
use facts::Found;
use target::Target;

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let wish = Wish::of(args)?;
    output::possible(args)?;
    let subject = subject::load(dir, wish.image.as_deref(), &args.profile)?;
    let chosen = args.phase.as_deref().map(|word| {
        if word == "boot" {
            Phase::Boot
        } else {
            Phase::Build
        }
    });
    let usual = if matches!(wish.on, On::Target(Target::Directory(_), _)) {
        Phase::Build
    } else {
        Phase::Boot
    };
    let (found, on) = match &wish.on {
        On::Target(target, shown) => {
            if matches!(target, Target::Ami(_)) && chosen == Some(Phase::Build) {
                return Err(Error::new(
                    Kind::Usage,
                    "an AMI is booted, so its checks are those of the phase boot",
                ));
            }
            (
                Box::pin(facts::of(
                    dir,
                    args,
                    &subject,
                    target,
                    chosen.unwrap_or(usual),
                ))
                .await?,
                shown.clone(),
            )
        }
        On::Facts => {
            let file = args.facts.as_deref().unwrap_or(Path::new(""));
            (facts::kept(file)?, file.display().to_string())
        }
    };
    let Found { facts, phase, took } = found;
    if let Some(file) = &args.save_facts {
        context::write(file, &facts)?;
    }
    let catalog = &subject.loaded.catalog;
    let phase = chosen.or(phase).unwrap_or(usual);
    let verdicts = checks::judge(&catalog.controls(&subject.image), &facts, phase);
    let seconds = took.as_secs_f64();
    let evidence = CheckReport {
        image: subject.image.clone(),
        phase,
        seconds,
        verdicts,
        facts: serde_json::to_value(&facts).unwrap_or_default(),
        unsealed: Vec::new(),
    };
    let now = SystemClock.now();
    let report = reports::build_report(
        catalog,
        &evidence,
        &facts,
        &format!("{} on {on}", subject.shown),
        now,
    );
    output::show(args, catalog, &evidence, &report)?;
    let bad = evidence.blocking_lines(catalog.settings.gate, now).len();
    if bad > 0 {
        let text = format!(
            "{bad} of {} checks of `{}` failed on {on}",
            evidence.verdicts.len(),
            subject.shown
        );
        return Err(Error::new(Kind::ChecksFailed, text));
    }
    Ok(0)
}

/// What was typed: an image, if one was, and what to look at.
struct Wish {
    image: Option<String>,
    on: On,
}

/// What to look at.
enum On {
    /// A target, and how it was typed.
    Target(Target, String),
    /// What was collected before.
    Facts,
}

impl Wish {
    fn of(args: &Args) -> Result<Self> {
        let usage = |text: &str| Error::new(Kind::Usage, text.to_owned());
        let hint = "say where: `local`, ssh://USER@HOST, a directory, an instance's or an AMI's id";
        let elsewhere = args.root.is_some() || args.facts.is_some();
        let (image, target) = match (args.words.as_slice(), elsewhere) {
            ([], true) => (None, None),
            ([image], true) => (Some(image), None),
            ([target], false) => (None, Some(target)),
            ([image, target], false) => (Some(image), Some(target)),
            ([], false) => return Err(usage("there is no target").hint(hint)),
            _ => {
                return Err(usage("there is more than one target")
                    .hint("leave out --root or --facts, or the word"));
            }
        };
        if image.is_none() && args.profile.is_empty() {
            let error = usage("it is not said what to check by, or where");
            return Err(error.hint(format!(
                "name an image of the catalog, or profiles by --profile; and {hint}"
            )));
        }
        let on = match (&args.root, target) {
            (Some(root), _) => {
                let text = root.display().to_string();
                On::Target(Target::Directory(text.clone()), text)
            }
            (None, Some(text)) => On::Target(Target::read(text)?, text.clone()),
            (None, None) => On::Facts,
        };
        Ok(Self {
            image: image.cloned(),
            on,
        })
    }
}
