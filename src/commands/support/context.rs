//! Loads the catalog and creates the adapters behind the ports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;

use super::access::{AccessMode, role_session};
use super::command_locks::CommandLocks;
use super::templates;
use crate::adapters::catalog_files::{CatalogFiles, find_catalog_directory};
use crate::adapters::system;
use crate::catalog::{self, Catalog, Files, Lookup, Settings};
use crate::diagnostic::{Diagnostic, Severity};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Commit, EnvName, ImageName, Location, Region, Timestamp, check_name};
use crate::ports::{Cloud, CredentialSource, Http, Identity, RoleSession, Store};
use crate::ui;

/// A loaded catalog, its files and its locks.
pub(crate) struct LoadedCatalog {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) files: CatalogFiles,
    /// Locks of the command; dropping this value releases them.
    pub(crate) lock: OnceCell<CommandLocks>,
}

/// Logs to stderr at the level of `BAKELINE_LOG`. The default level is `warn`.
pub(crate) fn start_logging() {
    let level = system::variable("BAKELINE_LOG").unwrap_or_else(|| "off,bakeline=warn".to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let _set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ui::stderr_has_color())
        .with_writer(std::io::stderr)
        .try_init();
}

/// Returns the directory of the catalog: that of the command line, or the nearest one with
/// bakeline.yaml.
pub(crate) fn catalog_directory(given: Option<PathBuf>) -> PathBuf {
    let search = || find_catalog_directory(&system::working_directory().ok()?);
    given.or_else(search).unwrap_or_else(|| ".".into())
}

/// Opens the directory of the catalog.
pub(crate) fn open_files(dir: &Path) -> Result<CatalogFiles> {
    CatalogFiles::open(dir).map_err(|e| {
        Error::input(format!("cannot open the directory {}", dir.display())).because(e)
    })
}

/// Returns the contents of the files that the diagnostics refer to.
pub(crate) fn source_texts(
    files: &CatalogFiles,
    findings: &[Diagnostic],
) -> BTreeMap<String, String> {
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

/// Loads the catalog. Prints every problem before it returns an error.
pub(crate) fn load_catalog(dir: &Path) -> Result<LoadedCatalog> {
    let files = open_files(dir)?;
    if matches!(files.get(catalog::SETTINGS_FILE), Lookup::Missing) {
        let error = Error::input(format!(
            "bakeline.yaml is missing in {}",
            files.root().display()
        ));
        return Err(error.hint(catalog::MISSING_SETTINGS_HELP));
    }
    let catalog = load_or_report(&files, &files)?;
    Ok(LoadedCatalog::new(catalog, files))
}

impl LoadedCatalog {
    /// Combines a catalog and its files, without locks.
    pub(crate) fn new(mut catalog: Catalog, files: CatalogFiles) -> Self {
        catalog.settings.store = catalog.settings.store.resolve(files.root());
        Self {
            catalog: Arc::new(catalog),
            files,
            lock: OnceCell::new(),
        }
    }
}

/// Loads the catalog from `files`. Prints every problem, with excerpts from `on_disk`, before it
/// returns an error.
pub(crate) fn load_or_report(files: &dyn Files, on_disk: &CatalogFiles) -> Result<Catalog> {
    let (catalog, findings) = templates::load(files);
    if !findings.is_empty() {
        ui::say(&ui::snippet::render(
            &findings,
            &source_texts(on_disk, &findings),
            ui::stderr_has_color(),
        ));
    }
    catalog.ok_or_else(|| invalid_catalog(&findings))
}

/// Returns the error that counts the problems of a catalog.
pub(crate) fn invalid_catalog(findings: &[Diagnostic]) -> Error {
    let errors = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .count();
    let plural = if errors == 1 { "" } else { "s" };
    Error::input(format!("the catalog has {errors} error{plural}"))
}

/// Returns the images with these names, or an error with the nearest known name. A name without
/// architecture means all architectures of the image.
pub(crate) fn find_images(catalog: &Catalog, names: &[String]) -> Result<Vec<ImageName>> {
    let mut out = Vec::new();
    for name in names {
        if catalog.settings.has_several_architectures(name) {
            out.extend(architectures_of(catalog, name).cloned());
        } else {
            out.push(find_image(catalog, name)?);
        }
    }
    Ok(out)
}

/// Returns the image with this name, or an error with the nearest known name.
pub(crate) fn find_image(catalog: &Catalog, name: &str) -> Result<ImageName> {
    let wanted = ImageName::from(name);
    if catalog.images.contains_key(&wanted) {
        return Ok(wanted);
    }
    require_one_architecture(catalog, name)?;
    let known: Vec<&str> = catalog.images.keys().map(ImageName::as_str).collect();
    Err(unknown_name("image", name, &known))
}

/// Parses the name of one image. The image may have left the catalog.
pub(crate) fn parse_image_name(catalog: &Catalog, name: &str) -> Result<ImageName> {
    let image = ImageName::from(name);
    check_name(image.published()).map_err(|e| {
        let message = format!("`{name}` is not an image name");
        Error::new(ErrorKind::Usage, message).because(e)
    })?;
    require_one_architecture(catalog, name)?;
    Ok(image)
}

/// Returns an error if the name means images of several architectures.
pub(crate) fn require_one_architecture(catalog: &Catalog, name: &str) -> Result<()> {
    if !catalog.settings.has_several_architectures(name) {
        return Ok(());
    }
    let names: Vec<String> = architectures_of(catalog, name)
        .map(|image| format!("`{image}`"))
        .collect();
    let message = format!("image `{name}` has several architectures");
    Err(Error::input(message).hint(format!("use {}", names.join(" or "))))
}

/// Returns the images of all architectures that are published under a name.
fn architectures_of<'c>(
    catalog: &'c Catalog,
    published: &str,
) -> impl Iterator<Item = &'c ImageName> {
    let names = catalog.images.keys();
    names.filter(move |name| name.arch().is_some() && name.published() == published)
}

/// Returns the environment with this name, or an error with the nearest known name.
pub(crate) fn find_environment(known: &[EnvName], name: &str) -> Result<EnvName> {
    let wanted = EnvName::from(name);
    if known.contains(&wanted) {
        return Ok(wanted);
    }
    let known: Vec<&str> = known.iter().map(EnvName::as_str).collect();
    Err(unknown_name("environment", name, &known))
}

/// Returns the error for a name that the catalog does not contain.
pub(crate) fn unknown_name(what: &str, name: &str, known: &[&str]) -> Error {
    let error = Error::input(format!("there is no {what} `{name}` in this catalog"));
    match crate::diagnostic::nearest(name, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("known names: {}", known.join(", "))),
    }
}

/// Returns a client for AWS with the configuration of the environment.
#[cfg(feature = "live")]
pub(crate) async fn connect_cloud(region: &Region) -> Result<Arc<dyn Cloud>> {
    Ok(Arc::new(crate::adapters::aws::Aws::load(region).await?))
}

/// Returns an error: this build has no AWS client.
#[cfg(not(feature = "live"))]
pub(crate) async fn connect_cloud(_region: &Region) -> Result<Arc<dyn Cloud>> {
    Err(crate::adapters::offline::offline_error())
}

/// Opens the store of the catalog. Sends no request yet.
pub(crate) async fn open_store(settings: &Settings) -> Result<Arc<dyn Store>> {
    crate::adapters::store::open(settings).await
}

/// Returns the caller in the builder's account.
///
/// # Errors
/// The account cannot be read, or is not the `account` of the catalog.
pub(crate) async fn home_identity(cloud: &dyn Cloud, settings: &Settings) -> Result<Identity> {
    let identity = cloud.identity(settings.home()).await;
    let identity = identity.map_err(crate::steps::first_call_error)?;
    check_account(settings, &identity.account)?;
    Ok(identity)
}

/// Refuses an account that is not the `account` of the catalog.
pub(crate) fn check_account(settings: &Settings, account: &str) -> Result<()> {
    match &settings.account {
        Some(expected) if expected != account => {
            let text = format!(
                "account {account} is not the account of the catalog `{}`, which is {expected}",
                settings.name
            );
            Err(Error::new(ErrorKind::Refused, text).hint(format!(
                "use credentials of account {expected}, for example AWS_PROFILE, or change \
                 `account` in bakeline.yaml"
            )))
        }
        _ => Ok(()),
    }
}

/// Clients for all accounts of the environments.
pub(crate) struct Clouds {
    /// Client for the account of the builder.
    pub(crate) home: Arc<dyn Cloud>,
    /// Clients for the other accounts, by account ID.
    pub(crate) others: BTreeMap<String, Arc<dyn Cloud>>,
}

impl Clouds {
    /// Returns the client for the account of a location.
    pub(crate) fn at(&self, location: &Location) -> Result<&dyn Cloud> {
        self.arc_at(location).map(|cloud| &**cloud)
    }

    /// Returns the client as [`Self::at`] does, for tasks.
    pub(crate) fn shared(&self, location: &Location) -> Result<Arc<dyn Cloud>> {
        self.arc_at(location).map(Arc::clone)
    }

    fn arc_at(&self, location: &Location) -> Result<&Arc<dyn Cloud>> {
        let Some(account) = &location.account else {
            return Ok(&self.home);
        };
        self.others.get(account).ok_or_else(|| {
            Error::input(format!("the role for account {account} is missing"))
                .hint("set `role` for its environment in bakeline.yaml")
        })
    }
}

/// Creates clients for all accounts of the environments. Sends no request yet.
pub(crate) async fn connect_clouds(settings: &Settings, access: AccessMode<'_>) -> Result<Clouds> {
    let home = connect_cloud(settings.home()).await?;
    let mut others = BTreeMap::new();
    for environment in &settings.environments {
        for account in &environment.accounts {
            if !others.contains_key(account)
                && let Some(session) = role_session(environment, account, access)
            {
                others.insert(
                    account.clone(),
                    assume_role(settings.home(), &session).await?,
                );
            }
        }
    }
    Ok(Clouds { home, others })
}

/// Returns a client for AWS that assumes a role. Sends no request yet.
#[cfg(feature = "live")]
pub(crate) async fn assume_role(region: &Region, session: &RoleSession) -> Result<Arc<dyn Cloud>> {
    Ok(Arc::new(
        crate::adapters::aws::Aws::assume_role(region, session).await?,
    ))
}

/// Returns an error: this build has no AWS client.
#[cfg(not(feature = "live"))]
pub(crate) async fn assume_role(
    _region: &Region,
    _session: &RoleSession,
) -> Result<Arc<dyn Cloud>> {
    Err(crate::adapters::offline::offline_error())
}

/// Returns the source of the caller's credentials. Sends no request.
#[cfg(feature = "live")]
pub(crate) async fn credential_source(region: &Region) -> Result<Arc<dyn CredentialSource>> {
    crate::adapters::aws::credentials::CallerCredentials::load(region).await
}

/// Returns an error: this build has no AWS client.
#[cfg(not(feature = "live"))]
pub(crate) async fn credential_source(_region: &Region) -> Result<Arc<dyn CredentialSource>> {
    Err(crate::adapters::offline::offline_error())
}

/// Returns the time after which the caller's credentials cannot be renewed, if it is known, and the
/// way to get new ones.
#[cfg(feature = "live")]
pub(crate) async fn session_end() -> Option<(Timestamp, String)> {
    crate::adapters::aws::credentials::session_end().await
}

/// Returns nothing: this build has no AWS client.
#[cfg(not(feature = "live"))]
pub(crate) async fn session_end() -> Option<(Timestamp, String)> {
    None
}

/// Returns the Region of the active AWS profile.
#[cfg(feature = "live")]
pub(crate) async fn profile_region() -> Option<Region> {
    crate::adapters::aws::config::profile_region().await
}

/// Returns nothing: this build reads no AWS profile.
#[cfg(not(feature = "live"))]
pub(crate) async fn profile_region() -> Option<Region> {
    None
}

/// Returns the HTTP client.
#[cfg(feature = "live")]
pub(crate) fn http_client() -> Option<Arc<dyn Http>> {
    crate::adapters::http::HttpClient::new().map(|c| Arc::new(c) as Arc<dyn Http>)
}

/// Returns nothing: this build has no HTTP client.
#[cfg(not(feature = "live"))]
pub(crate) fn http_client() -> Option<Arc<dyn Http>> {
    None
}

/// Returns the checked-out commit of the catalog.
#[cfg(feature = "live")]
pub(crate) fn head_commit(root: &Path) -> Option<Commit> {
    use crate::ports::Vcs as _;
    crate::adapters::git::Git::new(root).commit()
}

/// Returns nothing: this build cannot read Git.
#[cfg(not(feature = "live"))]
pub(crate) fn head_commit(_root: &Path) -> Option<Commit> {
    None
}

/// Returns the custom EC2 endpoint from the environment variables of the AWS SDKs.
pub(crate) fn ec2_endpoint() -> Option<String> {
    system::variable("AWS_ENDPOINT_URL_EC2").or_else(|| system::variable("AWS_ENDPOINT_URL"))
}

/// Reads a file named on the command line.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>> {
    system::read_file(path).map_err(|e| Error::input("cannot read a file").because(e))
}

/// Writes a value as JSON to a file named on the command line.
pub(crate) fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::new(ErrorKind::StepFailed, "cannot serialize the file").because(e))?;
    text.push(b'\n');
    system::write_atomically(path, &text, 0o644)
        .map_err(|e| Error::input("cannot write a file").because(e))
}

/// Returns the webhook URL from an environment variable that the catalog names.
pub(crate) fn webhook_secret(variable: &str) -> Option<crate::ports::Secret> {
    system::variable(variable).map(crate::ports::Secret::new)
}
