//! Implements `bakeline check`: runs the checks of an image or of profiles against a target.

pub(super) mod build_phase;
mod facts;
mod output;
mod subject;
mod target;

use std::path::Path;

use crate::adapters::system::SystemClock;
use crate::checks::Phase;
use crate::cli::Check as Args;
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::ports::Clock as _;
use crate::steps::check::controls::CheckReport;
use crate::steps::check::reports;
use facts::CollectedFacts;
use target::Target;

pub(super) async fn run(dir: &Path, args: &Args) -> Result<u8> {
    let request = Request::parse(args)?;
    output::check_formats(args)?;
    let subject = subject::load_subject(dir, request.image.as_deref(), &args.profile)?;
    let chosen = args.phase.as_deref().map(|word| {
        if word == "boot" {
            Phase::Boot
        } else {
            Phase::Build
        }
    });
    let usual = if matches!(request.source, FactsFrom::Target(Target::Directory(_), _)) {
        Phase::Build
    } else {
        Phase::Boot
    };
    let (found, on) = match &request.source {
        FactsFrom::Target(target, shown) => {
            if matches!(target, Target::Ami(_)) && chosen == Some(Phase::Build) {
                return Err(Error::new(
                    ErrorKind::Usage,
                    "an AMI can be checked only in the phase boot",
                ));
            }
            (
                Box::pin(facts::collect_facts(
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
        FactsFrom::File => {
            let file = args.facts.as_deref().unwrap_or(Path::new(""));
            (facts::read_facts(file)?, file.display().to_string())
        }
    };
    if let Some(file) = &args.save_facts {
        context::write_json(file, &found.facts)?;
    }
    let catalog = &subject.loaded.catalog;
    let phase = chosen.or(found.phase).unwrap_or(usual);
    let CollectedFacts { facts, took, .. } = &found;
    let verdicts = found.verdicts(&catalog.controls(&subject.image), phase);
    let seconds = took.as_secs_f64();
    let evidence = CheckReport {
        image: subject.image.clone(),
        phase,
        seconds,
        verdicts,
        facts: serde_json::to_value(facts).unwrap_or_default(),
        unsealed: Vec::new(),
    };
    let now = SystemClock.now();
    let report = reports::build_report(
        catalog,
        &evidence,
        facts,
        &format!("{} on {on}", subject.shown),
        now,
    );
    output::write_reports(args, catalog, &evidence, &report)?;
    let bad = evidence.blocking_lines(catalog.settings.gate, now).len();
    if bad > 0 {
        let text = format!(
            "{bad} of {} of `{}` failed on {on}",
            crate::ui::count(evidence.verdicts.len(), "check"),
            subject.shown
        );
        return Err(Error::new(ErrorKind::ChecksFailed, text));
    }
    Ok(0)
}

/// Parsed arguments: an optional image and the origin of the facts.
struct Request {
    image: Option<String>,
    source: FactsFrom,
}

/// Origin of the facts.
enum FactsFrom {
    /// Target, and its text on the command line.
    Target(Target, String),
    /// File with saved facts.
    File,
}

impl Request {
    fn parse(args: &Args) -> Result<Self> {
        let usage = |text: &str| Error::new(ErrorKind::Usage, text.to_owned());
        let hint =
            "use `local`, ssh://USER@HOST, a directory, an instance ID or an AMI ID as target";
        let has_option = args.root.is_some() || args.facts.is_some();
        let (image, target) = match (args.words.as_slice(), has_option) {
            ([], true) => (None, None),
            ([image], true) => (Some(image), None),
            ([target], false) => (None, Some(target)),
            ([image, target], false) => (Some(image), Some(target)),
            ([], false) => return Err(usage("the target is missing").hint(hint)),
            _ => {
                return Err(usage("there is more than one target")
                    .hint("remove --root or --facts, or the target"));
            }
        };
        if image.is_none() && args.profile.is_empty() {
            let error = usage("the image or profile to check is missing");
            return Err(error.hint(format!(
                "name an image of the catalog, or use --profile; {hint}"
            )));
        }
        let source = match (&args.root, target) {
            (Some(root), _) => {
                let text = root.display().to_string();
                FactsFrom::Target(Target::Directory(text.clone()), text)
            }
            (None, Some(text)) => FactsFrom::Target(Target::parse(text)?, text.clone()),
            (None, None) => FactsFrom::File,
        };
        Ok(Self {
            image: image.cloned(),
            source,
        })
    }
}
