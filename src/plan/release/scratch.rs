//! Plans a build from scratch for comparison with a chain of builds.

use super::basis::MissingBaseError;
use super::decide::PLAN_SCHEMA;
use super::planner::{ReleasePlanner, ReleaseRequest};
use super::steps::discard_instead_of_release;
use crate::catalog::{Catalog, Image};
use crate::model::{Inventory, RunId, Version};
use crate::plan::step::Plan;

/// Plans a build from scratch that is checked and then discarded. Its contents show how far a chain
/// of builds has drifted.
///
/// # Errors
/// The source or the parent is missing.
pub fn plan_scratch_build(
    catalog: &Catalog,
    inventory: &Inventory,
    image: &Image,
    run: RunId,
) -> Result<Plan, MissingBaseError> {
    let request = ReleaseRequest {
        images: vec![image.name.clone()],
        force: true,
        run,
    };
    let planner = ReleasePlanner::new(catalog, inventory, &request, inventory.captured_at);
    let basis = planner.base_on_origin(image, "from scratch, for comparison".to_owned())?;
    let version = Version::next(
        inventory.captured_at,
        planner.index.newest_version(&image.name),
    );
    let digests = (
        planner.prints.recipe(image).digest(),
        planner.prints.checks_digest(&image.name),
    );
    let steps = planner.build_steps(
        image,
        version,
        basis,
        "for comparison; discarded afterwards",
        digests,
    );
    let steps = discard_instead_of_release(steps, &image.name);
    Ok(Plan {
        schema: PLAN_SCHEMA,
        run: request.run.clone(),
        decided_at: inventory.captured_at,
        decisions: Vec::new(),
        steps,
    })
}
