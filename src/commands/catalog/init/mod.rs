//! Implements `bakeline init`: writes the files of a new catalog. Overwrites nothing.

mod questions;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use self::questions::{Surroundings, TerminalDialog, ask_choices};
use super::new_files::{create_files, displayed_path, refuse_existing};
use crate::adapters::catalog_files::find_catalog_directory;
use crate::adapters::{assets, system};
use crate::catalog::{SETTINGS_FILE, Starter, editor_files, schemas};
use crate::cli::Init;
use crate::diagnostic::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Region;
use crate::platform::sh_quote;
use crate::ui;

/// Operating system of the base image if no other is selected.
const DEFAULT_SYSTEM: &str = "debian-13";
/// Account of the credentials that `bakeline sandbox status --env` prints.
const LOCAL_ACCOUNT: &str = "123456789012";

pub(crate) fn run(start: &Path, args: &Init) -> Result<u8> {
    let dir = match &args.directory {
        Some(dir) => start.join(dir),
        None => start.to_owned(),
    };
    let dir = dir.strip_prefix(".").unwrap_or(&dir);
    let asked = match args.regions.is_empty() {
        true => Some(ask(dir, args)?),
        false => None,
    };
    let starter = choose(dir, asked.as_ref().unwrap_or(args))?;
    let mut files = starter.files();
    files.extend(
        schemas()
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text)),
    );
    let (kept, missing): (Vec<_>, Vec<_>) = editor_files()
        .into_iter()
        .partition(|(path, _)| system::exists(&dir.join(path)));
    files.extend(missing);
    create_files(dir, &files)?;
    for (path, _) in kept {
        ui::say(&format!("kept {}", displayed_path(&dir.join(path))));
    }
    warn_unusual_place(dir, &starter);
    print_next_steps(dir, &starter);
    Ok(0)
}

/// Warns about a Region that bakeline does not know, and about a catalog in a directory above.
fn warn_unusual_place(dir: &Path, starter: &Starter) {
    for region in starter
        .regions
        .iter()
        .map(|name| Region::from(name.as_str()))
    {
        if !region.has_known_form() {
            ui::say(&format!(
                "warning: `{region}` is not an AWS Region known to bakeline; check `regions` in bakeline.yaml"
            ));
        }
    }
    let above = catalog_above(dir);
    if let Some(outer) = above {
        ui::say(&format!(
            "warning: {} is a catalog, too; commands use the nearest bakeline.yaml",
            outer.display()
        ));
    }
}

/// Returns the directory of a catalog in the same Git repository, above an existing directory.
fn catalog_above(dir: &Path) -> Option<PathBuf> {
    let absolute = system::absolute_path(dir)?;
    find_catalog_directory(absolute.parent()?)
}

/// Returns the arguments, completed by the answers of a person. Prints the command that has the same
/// effect.
fn ask(dir: &Path, args: &Init) -> Result<Init> {
    refuse_existing(dir, &[SETTINGS_FILE])?;
    if !ui::prompt::can_ask() {
        let text = "the Region of the catalog is missing";
        return Err(Error::new(ErrorKind::Usage, text).hint(
            "without a terminal, `init` asks no questions: use --region REGION; \
             --name, --account, --prod-account, --os and --gitlab have defaults",
        ));
    }
    check_flags(dir, args)?;
    let region = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    let around = Surroundings {
        directory: directory_name(dir),
        region: region.into_iter().find_map(system::variable),
        systems: assets::base_images()
            .into_iter()
            .map(|(name, _)| name)
            .collect(),
        has_pipeline: system::exists(&dir.join(".gitlab-ci.yml")),
    };
    let place = match dir.to_str() {
        Some("") => "this directory".to_owned(),
        _ => dir.display().to_string(),
    };
    ui::say(&format!(
        "Writes a new catalog to {place}.\n\
         Press Enter to select the value in brackets, ^C to stop.\n"
    ));
    let check_system = |name: &str| base_image(name).map(|_| ());
    let asked = ask_choices(args, &around, &check_system, &mut TerminalDialog)?;
    ui::say(&format!(
        "\nThe same without questions:\n  {}\n",
        command_line(dir, &asked)
    ));
    Ok(asked)
}

/// Fails if a flag has an invalid value, before the first question.
fn check_flags(dir: &Path, args: &Init) -> Result<()> {
    let mut given = args.clone();
    given.name.get_or_insert_with(|| "catalog".to_owned());
    given.regions = vec!["us-east-1".to_owned()];
    choose(dir, &given).map(|_| ())
}

/// Returns the command with these arguments, for a shell.
fn command_line(dir: &Path, args: &Init) -> String {
    let mut groups = vec!["bakeline init".to_owned()];
    if dir.to_str() != Some("") {
        groups.push(shell_word(dir));
    }
    let flags = [
        ("name", args.name.iter().collect::<Vec<_>>()),
        ("region", args.regions.iter().collect()),
        ("account", args.account.iter().collect()),
        ("prod-account", args.prod_accounts.iter().collect()),
        ("os", args.systems.iter().collect()),
    ];
    for (flag, values) in flags {
        let word = |value: &String| format!("--{flag} {}", shell_word(Path::new(value)));
        groups.extend(values.into_iter().map(word));
    }
    groups.extend(args.gitlab.then(|| "--gitlab".to_owned()));
    let mut lines: Vec<String> = Vec::new();
    for group in groups {
        match lines.last_mut() {
            Some(line) if line.len() + group.len() < 72 => {
                line.push(' ');
                line.push_str(&group);
            }
            _ => lines.push(group),
        }
    }
    lines.join(" \\\n    ")
}

/// Returns a path or a value for a shell, quoted if necessary.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match text.starts_with('-') || !text.chars().all(is_plain) {
        true => sh_quote(&text),
        false => text,
    }
}

/// Returns the choices of the command line, with defaults.
fn choose(dir: &Path, args: &Init) -> Result<Starter> {
    let usage = |text: String| Error::new(ErrorKind::Usage, text);
    let starter = Starter {
        name: match &args.name {
            Some(name) => name.clone(),
            None => directory_name(dir).ok_or_else(|| {
                usage("the name of the catalog is missing".to_owned()).hint("use --name NAME")
            })?,
        },
        account: args.account.clone(),
        regions: args.regions.clone(),
        prod_accounts: args.prod_accounts.clone(),
        gitlab_component: args.gitlab.then(gitlab_component).flatten(),
        bases: match args.systems.as_slice() {
            [] => vec![base_image(DEFAULT_SYSTEM)?],
            names => names
                .iter()
                .map(|name| base_image(name))
                .collect::<Result<_>>()?,
        },
    };
    let problems = starter.problems();
    if problems.is_empty() {
        return Ok(starter);
    }
    let error = usage(problems.join("\n"));
    let is_default = args.name.is_none() && problems.iter().any(|p| p.contains("catalog name"));
    Err(if is_default {
        error.hint("the default is the name of the directory; use --name NAME")
    } else {
        error
    })
}

fn gitlab_component() -> Option<String> {
    let bytes = assets::shipped_file(assets::GITLAB_COMPONENT)?;
    String::from_utf8(bytes.into_owned()).ok()
}

fn directory_name(dir: &Path) -> Option<String> {
    let absolute = system::working_directory().ok()?.join(dir);
    let name = absolute.components().next_back()?.as_os_str().to_str()?;
    Some(name.to_owned())
}

/// Returns name and content of the file of a shipped base image.
fn base_image(name: &str) -> Result<(String, String)> {
    let shipped = assets::base_images();
    if let Some(found) = shipped.iter().find(|(known, _)| known == name) {
        return Ok(found.clone());
    }
    let names: Vec<&str> = shipped.iter().map(|(name, _)| name.as_str()).collect();
    let error = Error::new(
        ErrorKind::Usage,
        format!("bakeline has no base image for `{name}`"),
    );
    Err(match nearest(name, names.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("known systems: {}", names.join(", "))),
    })
}

fn print_next_steps(dir: &Path, starter: &Starter) {
    let credentials = match &starter.account {
        Some(account) => format!("credentials of account {account}"),
        None => "AWS credentials".to_owned(),
    };
    let enter = match dir.to_str() {
        Some("") => String::new(),
        _ => format!("  cd {}\n", shell_word(dir)),
    };
    let pipeline = match starter.gitlab_component {
        Some(_) => "\nReplace `image` in .gitlab-ci.yml before the first pipeline.\n",
        None => "",
    };
    let account = match &starter.account {
        Some(account) if account != LOCAL_ACCOUNT => {
            format!(
                "\nIts account is {LOCAL_ACCOUNT}: change `account` in bakeline.yaml meanwhile."
            )
        }
        _ => String::new(),
    };
    ui::say(&format!(
        "{pipeline}\nNext:\n{enter}  \
         bakeline validate      # check the files\n  \
         bakeline plan          # show what a release would build\n  \
         bakeline release       # build, check and release to Test\n\
         The last two need {credentials}.\n\n\
         Without an AWS account, use the local EC2 (Debian 12, as root):\n  \
         bakeline sandbox up\n  \
         eval \"$(bakeline sandbox status --env)\"{account}"
    ));
}
