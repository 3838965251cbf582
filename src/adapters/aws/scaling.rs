//! Owns launch configurations at AWS, asked of Auto Scaling's Query API: one call is not worth an SDK of its own.

use std::collections::BTreeSet;
use std::time::SystemTime;

use aws_sdk_ec2::config::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::{CALL_LIMIT, CONNECT_LIMIT, Clients, kind_of};
use crate::adapters::system::{SystemClock, variable};
use crate::model::{AmiId, Reference};
use crate::ports::{Clock as _, CloudError, CloudErrorKind, CloudResult};

const ACTION: &str = "DescribeLaunchConfigurations";

/// The launch configurations that name one of these AMIs: an Auto Scaling group may use one, now or later.
pub(super) async fn find(clients: &Clients, wanted: &BTreeSet<&str>, out: &mut BTreeSet<Reference>) -> CloudResult<()> {
    let error =
        |kind, message: String| CloudError { kind, action: ACTION, region: clients.region.to_string(), message };
    let http = reqwest::Client::builder().timeout(CALL_LIMIT).connect_timeout(CONNECT_LIMIT).build();
    let http = http.map_err(|e| error(CloudErrorKind::Other, e.to_string()))?;
    let mut next: Option<String> = None;
    loop {
        let token = next.as_deref().map(|t| format!("&NextToken={}", encoded(t))).unwrap_or_default();
        let body = format!("Action={ACTION}&Version=2011-01-01&MaxRecords=100{token}");
        let request = signed(&http, clients, body).await.map_err(|e| error(CloudErrorKind::Credentials, e))?;
        let answer = http.execute(request).await.map_err(|e| error(CloudErrorKind::Unreachable, e.to_string()))?;
        let good = answer.status().is_success();
        let text = answer.text().await.map_err(|e| error(CloudErrorKind::Unreachable, e.to_string()))?;
        if !good {
            let said = |name| values(&text, name).next().unwrap_or_default();
            return Err(error(kind_of(&said("Code")), format!("{}: {}", said("Code"), said("Message"))));
        }
        // Each launch configuration has exactly one of both.
        for (by, ami) in values(&text, "LaunchConfigurationName").zip(values(&text, "ImageId")) {
            if wanted.contains(ami.as_str()) {
                out.insert(Reference { ami: AmiId(ami), kind: "launch-configuration".to_owned(), by });
            }
        }
        next = values(&text, "NextToken").next().filter(|t| !t.is_empty());
        if next.is_none() {
            return Ok(());
        }
    }
}

/// Where Auto Scaling answers.
fn endpoint(clients: &Clients) -> String {
    let own = variable("AWS_ENDPOINT_URL_AUTO_SCALING");
    let given = own.or_else(|| clients.config.endpoint_url().map(str::to_owned));
    let china = if clients.region.as_str().starts_with("cn-") { ".cn" } else { "" };
    let given = given.unwrap_or_else(|| format!("https://autoscaling.{}.amazonaws.com{china}", clients.region));
    format!("{}/", given.trim_end_matches('/'))
}

async fn signed(http: &reqwest::Client, clients: &Clients, body: String) -> Result<reqwest::Request, String> {
    let provider = clients.config.credentials_provider().ok_or("there are no credentials")?;
    let identity = provider.provide_credentials().await.map_err(|e| super::words(&e))?.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(clients.region.as_str())
        .name("autoscaling")
        .time(SystemTime::from(SystemClock.now()))
        .settings(SigningSettings::default())
        .build()
        .map_err(|e| e.to_string())?
        .into();
    let (url, kind) = (endpoint(clients), "application/x-www-form-urlencoded; charset=utf-8");
    let headers = [("content-type", kind)].into_iter();
    let signable = SignableRequest::new("POST", &url, headers, SignableBody::Bytes(body.as_bytes()));
    let signable = signable.map_err(|e| e.to_string())?;
    let (instructions, _) = sign(signable, &parameters).map_err(|e| e.to_string())?.into_parts();
    let mut request = http.post(&url).header("content-type", kind);
    for (name, value) in instructions.headers() {
        request = request.header(name, value);
    }
    request.body(body).build().map_err(|e| e.to_string())
}

/// The texts of all elements of a name, in order; names and ids have nothing nested in them.
fn values<'x>(xml: &'x str, name: &'x str) -> impl Iterator<Item = String> + 'x {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut rest = xml;
    std::iter::from_fn(move || {
        let start = rest.find(&open)? + open.len();
        let end = start + rest[start..].find(&close)?;
        let text = plain(&rest[start..end]);
        rest = &rest[end..];
        Some(text)
    })
}

fn plain(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_images_are_read_in_pairs() {
        let xml = "<r><member><ImageId>ami-1</ImageId><LaunchConfigurationName>a &amp; b</LaunchConfigurationName></member>\
                   <member><LaunchConfigurationName>c</LaunchConfigurationName><ImageId>ami-2</ImageId></member></r>";
        assert_eq!(values(xml, "ImageId").collect::<Vec<_>>(), ["ami-1", "ami-2"]);
        assert_eq!(values(xml, "LaunchConfigurationName").collect::<Vec<_>>(), ["a & b", "c"]);
        assert_eq!((values(xml, "NextToken").next(), encoded("a+/=")), (None, "a%2B%2F%3D".to_owned()));
    }
}
