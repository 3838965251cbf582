//! Implements `bakeline schema`: writes or checks the JSON Schemas for editors.

use std::path::Path;

use crate::adapters::system;
use crate::catalog::schemas;
use crate::cli::Schema;
use crate::error::{Error, ErrorKind, Result};
use crate::ui;

pub(crate) fn run(dir: &Path, args: &Schema) -> Result<u8> {
    for (path, text) in schemas() {
        let file = dir.join(path);
        if args.check {
            if system::read_file(&file).ok().as_deref() != Some(text.as_bytes()) {
                return Err(
                    Error::input(format!("{} is not up to date", file.display()))
                        .hint("run `bakeline schema`"),
                );
            }
        } else {
            let written = system::write_atomically(&file, text.as_bytes(), 0o644);
            written.map_err(|e| {
                Error::new(ErrorKind::StepFailed, "cannot write a schema").because(e)
            })?;
            ui::say(&format!("wrote {path}"));
        }
    }
    Ok(0)
}
