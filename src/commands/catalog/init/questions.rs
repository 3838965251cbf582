//! Asks for the choices of a new catalog that are not on the command line.

use crate::catalog::{StarterValue, quote_text};
use crate::cli::Init;
use crate::error::{Error, ErrorKind, Result};
use crate::ui;

/// Conversation with a person.
pub(super) trait Dialog {
    /// Shows a question and returns the answer.
    ///
    /// # Errors
    /// The input ended or cannot be read.
    fn ask(&mut self, question: &str) -> Result<String>;

    /// Shows a message.
    fn say(&mut self, text: &str);
}

/// Dialog on the terminal of the process.
pub(super) struct TerminalDialog;

impl Dialog for TerminalDialog {
    fn ask(&mut self, question: &str) -> Result<String> {
        let answer = ui::prompt::ask(question).map_err(|e| {
            Error::new(ErrorKind::Usage, "cannot read the answer")
                .because(e)
                .hint(NOTHING_WRITTEN)
        })?;
        answer.ok_or_else(|| {
            let text = "the input ended before the last question";
            Error::new(ErrorKind::Usage, text).hint(NOTHING_WRITTEN)
        })
    }

    fn say(&mut self, text: &str) {
        ui::say_wrapped(text);
    }
}

const NOTHING_WRITTEN: &str = "nothing was written";
const NONE: &str = "none";

/// Facts that decide about defaults and valid answers.
pub(super) struct Surroundings {
    /// Name of the directory of the catalog.
    pub(super) directory: Option<String>,
    /// Region of the environment.
    pub(super) region: Option<String>,
    /// Operating systems with a base image.
    pub(super) systems: Vec<String>,
    /// True if the directory has a pipeline of GitLab.
    pub(super) has_pipeline: bool,
}

/// Returns the arguments, completed by answers. Asks again after an invalid answer.
///
/// # Errors
/// The input ended or cannot be read.
pub(super) fn ask_choices(
    args: &Init,
    around: &Surroundings,
    check_system: &dyn Fn(&str) -> Result<()>,
    dialog: &mut dyn Dialog,
) -> Result<Init> {
    let mut out = args.clone();
    if args.name.is_none() {
        let default = default_name(around.directory.as_deref());
        let name = ask(dialog, "Name of the catalog", &default, |text| {
            check_value(StarterValue::Name, text)
        })?;
        out.name = Some(name);
    }
    if args.account.is_none() {
        let question = "Account ID of the builds, 12 digits";
        out.account = ask(dialog, question, NONE, |text| match text {
            NONE => Ok(None),
            text => check_value(StarterValue::Account, text).map(Some),
        })?;
    }
    if args.regions.is_empty() {
        let question = "Regions; images are built in the first";
        out.regions = ask(dialog, question, &default_region(around), |text| {
            check_list(StarterValue::Region, text)
        })?;
    }
    if args.prod_accounts.is_empty() {
        let question = "Account IDs of Prod, if it has other accounts";
        out.prod_accounts = ask(dialog, question, NONE, |text| match text {
            NONE => Ok(Vec::new()),
            text => check_list(StarterValue::Account, text),
        })?;
    }
    if args.systems.is_empty() {
        dialog.say(&format!("Operating systems: {}", around.systems.join(", ")));
        let question = "Operating systems of the base images";
        out.systems = ask(dialog, question, super::DEFAULT_SYSTEM, |text| {
            let systems = split_list(text)?;
            match systems.iter().find_map(|name| check_system(name).err()) {
                Some(error) => Err(error.with_advice()),
                None => Ok(systems),
            }
        })?;
    }
    if !args.gitlab {
        out.gitlab = ask_pipeline(around, dialog)?;
    }
    Ok(out)
}

fn ask_pipeline(around: &Surroundings, dialog: &mut dyn Dialog) -> Result<bool> {
    if around.has_pipeline {
        dialog.say(
            ".gitlab-ci.yml exists and stays unchanged; \
             `bakeline show file templates/gitlab/template.yml` prints jobs to include",
        );
        return Ok(false);
    }
    let question = "Write a pipeline for GitLab, yes or no";
    ask(dialog, question, "no", |text| {
        match text.to_lowercase().as_str() {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err(format!(
                "`{}` is not an answer: use yes or no",
                quote_text(text)
            )),
        }
    })
}

/// Asks until the answer is valid. An empty answer selects the default.
fn ask<T>(
    dialog: &mut dyn Dialog,
    question: &str,
    default: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T> {
    loop {
        let answer = dialog.ask(&format!("{question} [{default}]: "))?;
        let text = match answer.trim() {
            "" => default,
            text => text,
        };
        match parse(text) {
            Ok(value) => return Ok(value),
            Err(problem) => dialog.say(&problem),
        }
    }
}

fn check_value(kind: StarterValue, text: &str) -> Result<String, String> {
    match kind.problem(text) {
        Some(problem) => Err(problem),
        None => Ok(text.to_owned()),
    }
}

fn check_list(kind: StarterValue, text: &str) -> Result<Vec<String>, String> {
    let values = split_list(text)?;
    match kind.problems(&values).into_iter().next() {
        Some(problem) => Err(problem),
        None => Ok(values),
    }
}

/// Returns the words of an answer that spaces or commas separate.
fn split_list(text: &str) -> Result<Vec<String>, String> {
    let words = text.split([' ', '\t', ',']).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_owned).collect();
    match words.is_empty() {
        true => Err("the answer has no value".to_owned()),
        false => Ok(words),
    }
}

/// Returns the name of the directory, with invalid characters replaced.
fn default_name(directory: Option<&str>) -> String {
    let replace = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9') => c,
        _ => '-',
    };
    let name: String = directory.unwrap_or_default().chars().map(replace).collect();
    let name = name.trim_matches('-');
    match StarterValue::Name.problem(name) {
        None => name.to_owned(),
        Some(_) => "images".to_owned(),
    }
}

fn default_region(around: &Surroundings) -> String {
    let region = around.region.as_deref();
    region
        .filter(|region| StarterValue::Region.problem(region).is_none())
        .unwrap_or("us-east-1")
        .to_owned()
}
