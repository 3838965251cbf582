//! Owns `bakeline retire`: take an image that is no longer in the catalog out of service.

use std::path::Path;

use super::{context, ladder, lock, run, unread, uses};
use crate::cli::Retire;
use crate::error::{Error, Kind, Result};
use crate::model::{ImageName, Inventory, check_name};
use crate::plan::prune::{PruneOptions, plan_retirement, retire_objection};
use crate::ui;

pub(super) async fn run(dir: &Path, args: &Retire) -> Result<u8> {
    let loaded = context::load(dir)?;
    check_name(&args.image).map_err(|e| {
        Error::new(
            Kind::Usage,
            format!("`{}` is not an image name", args.image),
        )
        .because(e)
    })?;
    let image = ImageName::from(args.image.as_str());
    if let Some(why) = retire_objection(&loaded.catalog, &image) {
        return Err(Error::new(Kind::Refused, why).hint("nothing was changed"));
    }
    let run = lock::take_if(args.apply, &loaded, lock::Rungs::All).await?;
    let wish = PruneOptions {
        keep: None,
        shared_ok: args.shared_ok,
    };
    let decide = |inventory: &Inventory| {
        plan_retirement(&loaded.catalog, inventory, &image, &wish, run.clone())
    };
    let inventory =
        uses::inventory(&loaded, &args.inventory, |inventory| decide(inventory).0).await?;
    unread::warn(&inventory);
    let (fates, plan) = decide(&inventory);
    if fates.is_empty() {
        let text = format!(
            "catalog `{}` has no AMI of `{image}`",
            loaded.catalog.settings.name
        );
        let none = Error::new(Kind::NotFound, text).hint("`bakeline list` shows what exists");
        return Err(unread::missing(&inventory, none));
    }
    ladder::show(&fates, args.json);
    if !args.apply {
        ui::say(&format!(
            "{} would go; run with --apply to retire the image",
            fates.iter().filter(|f| f.retire).count()
        ));
        return Ok(0);
    }
    if args.inventory.inventory.is_some() {
        return Err(
            Error::new(Kind::Usage, "--apply can't act on a recorded world")
                .hint("leave out --inventory"),
        );
    }
    if plan.steps.is_empty() {
        return unread::ended(&inventory, Ok(0));
    }
    let ran = run::act(&loaded, &inventory, &plan, run::Manner::INDEPENDENT).await?;
    let ended = ladder::end(&loaded, &fates, &ran);
    for fate in fates.iter().filter(|f| !f.retire) {
        ui::say(&format!(
            "{} in {} stays for now: {}; run `bakeline retire {image}` again later",
            fate.ami,
            fate.region,
            fate.reason()
        ));
    }
    unread::ended(&inventory, ended)
}
