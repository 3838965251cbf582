//! Implements `bakeline play`: runs an Ansible playbook on the build instance. Packer calls it from
//! a shell-local provisioner.

use crate::adapters::{ansible, system};
use crate::cli::Play;
use crate::commands::support::context;
use crate::error::{Error, ErrorKind, Result};
use crate::provision::ansible::{
    FILES, INVENTORY, JOB, Job, Output, arguments, environment, inventory,
};
use crate::steps::build::FAILED;
use crate::ui;

pub(crate) async fn run(args: &Play) -> Result<u8> {
    let failed =
        |what: String, e: std::io::Error| Error::new(ErrorKind::StepFailed, what).because(e);
    let file = args.folder.join(JOB);
    let job: Job = serde_json::from_slice(&context::read_file(&file)?).map_err(|e| {
        Error::input(format!("{} is not an Ansible job", file.display())).because(e)
    })?;
    let here = system::working_directory()
        .map_err(|e| failed("cannot read the working directory".to_owned(), e))?;
    let folder = here.join(&args.folder);
    let hosts = inventory(&job, &args.host, args.port, &args.key);
    system::write_atomically(&folder.join(INVENTORY), &hosts, 0o644)
        .map_err(|e| failed("cannot write the Ansible inventory".to_owned(), e))?;
    for (path, target) in &job.links {
        ansible::create_link(&folder.join(FILES), path, target)
            .map_err(|e| failed(format!("cannot create the link `{path}`"), e))?;
    }
    let mut output = Output::default();
    let copies = format!("{}/", folder.join(FILES).display());
    // Packer treats text on standard error as errors, so everything goes to standard output.
    let mut forward = |line: &str| {
        // Show the paths of the catalog, not those of the copies.
        let line = line.replace(&copies, "");
        output.read_line(&line, &job);
        ui::data(&line);
    };
    let variables = environment(&job, &folder, &ansible::ssh_config());
    let played = ansible::run_playbook(&folder, &arguments(&job), &variables, &mut forward).await;
    let code = played.map_err(|e| failed("cannot start `ansible-playbook`".to_owned(), e))?;
    match output.into_result(code, &job) {
        Ok(()) => Ok(0),
        Err(error) => {
            let reason = error.to_string();
            // The run reads this file, because Packer only reports that a script failed.
            let _written = system::write_atomically(&here.join(FAILED), reason.as_bytes(), 0o644);
            Err(Error::new(ErrorKind::StepFailed, reason))
        }
    }
}
