//! Keeps the files in the store that a run needs if it continues on another machine.

use crate::engine::StepContext;
use crate::evidence::keys;
use crate::steps::context::Steps;

/// Copies a file of the run directory to the store, if it exists. A store that fails causes only a
/// warning: the run then loses evidence if it continues on another machine.
pub(in crate::steps) async fn keep_file(steps: &Steps, path: &str, context: &StepContext<'_>) {
    let Some(content) = steps.workspace.read(path) else {
        return;
    };
    let prefix = keys::run_files(&steps.catalog.settings.name, &steps.run);
    if let Err(error) = steps.store.put(&format!("{prefix}/{path}"), &content).await {
        (context.note)(&format!("warning: {path} is not in the store: {error}"));
    }
}
