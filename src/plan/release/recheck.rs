//! Owns the steps that boot a released version without building: judging it again, and asking it for updates.

use super::Planner;
use super::steps::id;
use crate::catalog::Image;
use crate::lifecycle::{Record, tags};
use crate::model::{Inventory, RunId};
use crate::plan::step::{Action, AmiRef, Step};

impl Planner<'_> {
    /// Boots the version, judges it by today's controls, and writes down that it passed, on its copies too.
    pub(super) fn recheck(
        &self,
        image: &Image,
        last: &Record<'_>,
        checks: &str,
        reason: &str,
    ) -> Vec<Step> {
        let name = &image.name;
        let check = Action::CheckAgain {
            image: name.clone(),
            version: last.version,
            instance: id(name, "boot"),
        };
        let mut out = visit(
            self.catalog,
            last,
            &self.request.run,
            ("check", check),
            reason,
        );
        let home = out.last().map(|s| s.id.clone());
        for (number, record) in std::iter::once(last)
            .chain(self.index.copies(last))
            .enumerate()
        {
            let away = record.ami.owner != last.ami.owner;
            out.push(Step {
                id: id(
                    name,
                    &if number == 0 {
                        "retag".to_owned()
                    } else {
                        format!("retag-{}", number + 1)
                    },
                ),
                scope: name.to_string(),
                region: record.ami.region.clone(),
                account: away.then(|| record.ami.owner.clone()),
                needs: home.iter().cloned().collect(),
                reason: reason.to_owned(),
                action: Action::Retag {
                    image: name.clone(),
                    version: record.version,
                    ami: record.ami.id.clone(),
                    before: record.tag(tags::CHECKS).to_owned(),
                    after: checks.to_owned(),
                    checked: rounded(self.inventory),
                },
            });
        }
        out
    }
}

/// The row that boots a released version and ends the instance again, with one step in between.
pub(crate) fn visit(
    catalog: &crate::catalog::Catalog,
    record: &Record<'_>,
    run: &RunId,
    (verb, action): (&str, Action),
    reason: &str,
) -> Vec<Step> {
    let image = &record.image;
    let temporary = format!("bakeline-{run}-{image}");
    let actions = [
        (
            "key",
            Action::CreateKeyPair {
                name: temporary.clone(),
            },
        ),
        (
            "group",
            Action::CreateGroup {
                name: temporary.clone(),
            },
        ),
        (
            "boot",
            Action::Boot {
                image: image.clone(),
                ami: AmiRef::Known(record.ami.id.clone()),
            },
        ),
        (verb, action),
        (
            "terminate",
            Action::Terminate {
                instance: id(image, "boot"),
            },
        ),
        (
            "drop-group",
            Action::DeleteGroup {
                name: temporary.clone(),
            },
        ),
        ("drop-key", Action::DeleteKeyPair { name: temporary }),
    ];
    let mut before = None;
    let step = |(verb, action): (&str, Action)| {
        let needs = before.take().into_iter().collect();
        before = Some(id(image, verb));
        let region = catalog.settings.home().clone();
        let (id, scope, reason) = (id(image, verb), image.to_string(), reason.to_owned());
        Step {
            id,
            scope,
            region,
            account: None,
            needs,
            reason,
            action,
        }
    };
    actions.into_iter().map(step).collect()
}

/// When the facts were taken, to the second, as tags carry it.
fn rounded(inventory: &Inventory) -> crate::model::Timestamp {
    crate::model::Timestamp::from_second(inventory.taken.as_second()).unwrap_or(inventory.taken)
}
