//! Owns the composition: which adapters stand behind the ports, and loading the catalog or saying all that is wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::adapters::catalog_files::CatalogFiles;
use crate::adapters::system;
use crate::catalog::{self, Catalog, Files, Lookup, Settings};
use crate::diagnostic::{Diagnostic, Severity};
use crate::error::{Error, Kind, Result};
use crate::model::{Commit, EnvName, ImageName, Location, Region};
use crate::ports::{Cloud, Http, Store};
use crate::ui;

/// A catalog and where it lies.
pub(super) struct Loaded {
    pub(super) catalog: Arc<Catalog>,
    pub(super) files: CatalogFiles,
    /// The locks that the command took; given back when this is dropped.
    pub(super) lock: OnceLock<super::lock::Lock>,
}

/// Sends logs to stderr at the level of `BAKELINE_LOG`; nothing by default but warnings.
pub(super) fn start_logging() {
    let wanted = system::variable("BAKELINE_LOG").unwrap_or_else(|| "off,bakeline=warn".to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(wanted)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Opens the catalog's folder.
pub(super) fn open(dir: &Path) -> Result<CatalogFiles> {
    CatalogFiles::open(dir).map_err(|e| {
        Error::input(format!("the folder {} can't be opened", dir.display())).because(e)
    })
}

/// The texts that findings speak of, for showing them.
pub(super) fn texts(files: &CatalogFiles, findings: &[Diagnostic]) -> BTreeMap<String, String> {
    let related = findings
        .iter()
        .filter_map(|f| f.related.as_ref().map(|(place, _)| &place.file));
    let named = findings.iter().map(|f| &f.span.file).chain(related);
    named
        .filter_map(|file| match files.get(file) {
            Lookup::Found(bytes) => Some((file.clone(), String::from_utf8(bytes).ok()?)),
            _ => None,
        })
        .collect()
}

/// Loads the catalog; every problem is shown before the error is returned.
pub(super) fn load(dir: &Path) -> Result<Loaded> {
    let files = open(dir)?;
    if matches!(files.get(catalog::SETTINGS_FILE), Lookup::Missing) {
        let error = Error::input(format!(
            "there is no bakeline.yaml in {}",
            files.root().display()
        ));
        return Err(error.hint("run bakeline in the catalog's folder, or name it with -C DIR"));
    }
    let catalog = checked(&files, &files)?;
    Ok(loaded(catalog, files))
}

/// A catalog and where it lies, without any lock.
pub(super) fn loaded(catalog: Catalog, files: CatalogFiles) -> Loaded {
    Loaded {
        catalog: Arc::new(catalog),
        files,
        lock: OnceLock::new(),
    }
}

/// The catalog that files hold; every problem is shown, with the texts that are `on_disk`, before the error is returned.
pub(super) fn checked(files: &dyn Files, on_disk: &CatalogFiles) -> Result<Catalog> {
    let (catalog, findings) = catalog::load(files);
    if !findings.is_empty() {
        ui::say(&ui::snippet::render(
            &findings,
            &texts(on_disk, &findings),
            ui::fancy(),
        ));
    }
    catalog.ok_or_else(|| invalid(&findings))
}

/// The one-line error behind the findings.
pub(super) fn invalid(findings: &[Diagnostic]) -> Error {
    let errors = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .count();
    let plural = if errors == 1 { "" } else { "s" };
    Error::input(format!("the catalog has {errors} error{plural}"))
}

/// The images named on the command line, or an error with the nearest name.
pub(super) fn images(catalog: &Catalog, names: &[String]) -> Result<Vec<ImageName>> {
    names.iter().map(|name| image(catalog, name)).collect()
}

/// One image named on the command line.
pub(super) fn image(catalog: &Catalog, name: &str) -> Result<ImageName> {
    let wanted = ImageName::from(name);
    if catalog.images.contains_key(&wanted) {
        return Ok(wanted);
    }
    let known: Vec<&str> = catalog.images.keys().map(ImageName::as_str).collect();
    Err(unknown("image", name, &known))
}

/// An environment named on the command line.
pub(super) fn environment(known: &[EnvName], name: &str) -> Result<EnvName> {
    let wanted = EnvName::from(name);
    if known.contains(&wanted) {
        return Ok(wanted);
    }
    let known: Vec<&str> = known.iter().map(EnvName::as_str).collect();
    Err(unknown("environment", name, &known))
}

pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    let error = Error::input(format!("there is no {what} `{name}` in this catalog"));
    match crate::diagnostic::nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("there are: {}", known.join(", "))),
    }
}

/// The cloud, as the environment configures it.
#[cfg(feature = "live")]
pub(super) async fn cloud(region: &Region) -> Result<Arc<dyn Cloud>> {
    Ok(Arc::new(crate::adapters::aws::Aws::load(region).await))
}

/// The cloud, which this build does not have.
#[cfg(not(feature = "live"))]
pub(super) async fn cloud(_region: &Region) -> Result<Arc<dyn Cloud>> {
    Err(crate::adapters::offline::unavailable())
}

/// The store that the catalog names; nothing is asked of it yet.
pub(super) async fn store(settings: &Settings) -> Result<Arc<dyn Store>> {
    crate::adapters::store::open(settings).await
}

/// The clouds of all accounts that the catalog's environments name.
pub(super) struct Clouds {
    /// That of the builder's own account.
    pub(super) home: Arc<dyn Cloud>,
    /// Those of the other accounts.
    pub(super) others: BTreeMap<String, Arc<dyn Cloud>>,
}

impl Clouds {
    /// The cloud of a location's account.
    pub(super) fn at(&self, location: &Location) -> Result<&dyn Cloud> {
        let Some(account) = &location.account else {
            return Ok(&*self.home);
        };
        self.others.get(account).map(|c| &**c).ok_or_else(|| {
            Error::input(format!("no role is known for account {account}"))
                .hint("give its environment a `role` in bakeline.yaml")
        })
    }
}

/// The clouds, as the environment and the catalog's roles configure them; nobody is asked yet.
pub(super) async fn clouds(settings: &Settings) -> Result<Clouds> {
    let home = cloud(settings.home()).await?;
    let mut others = BTreeMap::new();
    for environment in &settings.environments {
        for account in &environment.accounts {
            if let Some(role) = environment
                .role
                .as_deref()
                .filter(|_| !others.contains_key(account))
            {
                others.insert(
                    account.clone(),
                    assumed(settings.home(), &in_account(role, account)).await?,
                );
            }
        }
    }
    Ok(Clouds { home, others })
}

/// The role of the same name in another account.
fn in_account(role: &str, account: &str) -> String {
    let mut parts: Vec<&str> = role.splitn(6, ':').collect();
    if let Some(part) = parts.get_mut(4) {
        *part = account;
    }
    parts.join(":")
}

/// The cloud, seen with another account's role.
#[cfg(feature = "live")]
async fn assumed(region: &Region, role: &str) -> Result<Arc<dyn Cloud>> {
    Ok(Arc::new(
        crate::adapters::aws::Aws::assume(region, role).await,
    ))
}

/// The cloud, which this build does not have.
#[cfg(not(feature = "live"))]
async fn assumed(_region: &Region, _role: &str) -> Result<Arc<dyn Cloud>> {
    Err(crate::adapters::offline::unavailable())
}

/// The HTTP client, where this build has one.
#[cfg(feature = "live")]
pub(super) fn http() -> Option<Arc<dyn Http>> {
    crate::adapters::http::HttpClient::new().map(|c| Arc::new(c) as Arc<dyn Http>)
}

/// The HTTP client, which this build does not have.
#[cfg(not(feature = "live"))]
pub(super) fn http() -> Option<Arc<dyn Http>> {
    None
}

/// The commit of the catalog's work tree.
#[cfg(feature = "live")]
pub(super) fn commit(root: &Path) -> Option<Commit> {
    use crate::ports::Vcs as _;
    crate::adapters::git::Git::at(root).commit()
}

/// The commit, which this build can't read.
#[cfg(not(feature = "live"))]
pub(super) fn commit(_root: &Path) -> Option<Commit> {
    None
}

/// The EC2 endpoint when it is not Amazon's, as every AWS tool reads it.
pub(super) fn endpoint() -> Option<String> {
    system::variable("AWS_ENDPOINT_URL_EC2").or_else(|| system::variable("AWS_ENDPOINT_URL"))
}

/// Reads a file named on the command line.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    system::read(path).map_err(|e| Error::input("a file can't be read").because(e))
}

/// Writes a file named on the command line.
pub(super) fn write(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::new(Kind::StepFailed, "the file can't be made").because(e))?;
    text.push(b'\n');
    system::write_atomically(path, &text, 0o644)
        .map_err(|e| Error::input("a file can't be written").because(e))
}

/// The secret in an environment variable that the catalog names.
pub(super) fn webhook(variable: &str) -> Option<crate::ports::Secret> {
    system::variable(variable).map(crate::ports::Secret::new)
}
