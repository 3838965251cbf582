//! Owns `bakeline play`: what Packer's shell-local calls to play an Ansible playbook against the build instance.

use super::context;
use crate::adapters::{ansible, system};
use crate::cli::Play;
use crate::error::{Error, Kind, Result};
use crate::provision::ansible::{
    FILES, INVENTORY, JOB, Job, Output, arguments, environment, inventory,
};
use crate::steps::build::FAILED;
use crate::ui;

pub(super) async fn run(args: &Play) -> Result<u8> {
    let failed = |what: String, e: std::io::Error| Error::new(Kind::StepFailed, what).because(e);
    let file = args.folder.join(JOB);
    let job: Job = serde_json::from_slice(&context::read(&file)?).map_err(|e| {
        Error::input(format!("{} is no job for Ansible", file.display())).because(e)
    })?;
    let here = system::working_directory()
        .map_err(|e| failed("the working directory can't be read".to_owned(), e))?;
    let folder = here.join(&args.folder);
    let hosts = inventory(&job, &args.host, args.port, &args.key);
    system::write_atomically(&folder.join(INVENTORY), &hosts, 0o644)
        .map_err(|e| failed("the inventory can't be written".to_owned(), e))?;
    let mut output = Output::default();
    let copies = format!("{}/", folder.join(FILES).display());
    // Everything goes to standard output: what is said on the other, Packer takes for errors.
    let mut hear = |line: &str| {
        // Paths as the catalog has them, not those of the copies.
        let line = line.replace(&copies, "");
        output.read_line(&line, &job);
        ui::data(&line);
    };
    let variables = environment(&job, &folder, &ansible::ssh_config());
    let played = ansible::play(&folder, &arguments(&job), &variables, &mut hear).await;
    let code = played.map_err(|e| failed("`ansible-playbook` can't be started".to_owned(), e))?;
    match output.result(code, &job) {
        Ok(()) => Ok(0),
        Err(why) => {
            // The run reads this: Packer's own words for it would be that a script failed.
            let _told = system::write_atomically(&here.join(FAILED), why.as_bytes(), 0o644);
            Err(Error::new(Kind::StepFailed, why))
        }
    }
}
