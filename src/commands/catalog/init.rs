//! Implements `bakeline init`: writes the files of a new catalog. Overwrites nothing.

use std::path::Path;

use super::new_files::create_files;
use crate::adapters::{assets, system};
use crate::catalog::{Starter, schemas};
use crate::cli::Init;
use crate::diagnostic::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::ui;

pub(crate) fn run(start: &Path, args: &Init) -> Result<u8> {
    let dir = match &args.directory {
        Some(dir) => start.join(dir),
        None => start.to_owned(),
    };
    let dir = dir.strip_prefix(".").unwrap_or(&dir);
    let starter = choose(dir, args)?;
    let mut files = starter.files();
    files.extend(
        schemas()
            .into_iter()
            .map(|(path, text)| (path.to_owned(), text)),
    );
    create_files(dir, &files)?;
    print_next_steps(dir, &starter);
    Ok(0)
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
        bases: args
            .systems
            .iter()
            .map(|name| base_image(name))
            .collect::<Result<_>>()?,
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
    let account = match &starter.account {
        Some(account) => format!("with credentials of account {account}"),
        None => "with AWS credentials".to_owned(),
    };
    let enter = match dir.to_str() {
        Some("") => String::new(),
        _ => format!("  cd {}\n", dir.display()),
    };
    let pipeline = match starter.gitlab_component {
        Some(_) => "\nReplace `image` in .gitlab-ci.yml before the first pipeline.\n",
        None => "",
    };
    ui::say(&format!(
        "{pipeline}\nNext:\n{enter}  \
         bakeline validate      # check the files\n  \
         bakeline plan          # show what a release would build, {account}\n  \
         bakeline release       # build, check and release to Test\n\n\
         Without an AWS account, use the local EC2 (Debian 12, as root):\n  \
         bakeline sandbox up\n  \
         eval \"$(bakeline sandbox status --env)\""
    ));
}
