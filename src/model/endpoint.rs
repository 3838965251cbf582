//! Defines the endpoints of AWS services.

use super::id::Region;

/// DNS suffixes by partition (botocore, `partitions.json`, `dnsSuffix` and `dualStackDnsSuffix`).
const SUFFIXES: [(&str, &str, &str); 8] = [
    ("aws", "amazonaws.com", "api.aws"),
    ("aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("aws-us-gov", "amazonaws.com", "api.aws"),
    ("aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("aws-iso", "c2s.ic.gov", "api.aws.ic.gov"),
    ("aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"),
    ("aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
];

/// Returns the endpoint of S3 in a Region, for requests with the bucket in the path (botocore,
/// `endpoint-rule-set-1.json` of S3). S3 uses the same suffix for dual-stack endpoints.
#[must_use]
pub fn s3_endpoint(region: &Region, fips: bool, dual_stack: bool) -> String {
    let partition = region.partition();
    let suffix = SUFFIXES
        .iter()
        .find(|(name, ..)| *name == partition)
        .map_or("amazonaws.com", |(_, suffix, _)| suffix);
    let service = if fips { "s3-fips" } else { "s3" };
    let stack = if dual_stack { ".dualstack" } else { "" };
    format!("https://{service}{stack}.{region}.{suffix}")
}

/// Returns whether a URL is an endpoint of AWS, such as a VPC endpoint.
#[must_use]
pub fn is_aws_endpoint(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().to_lowercase();
    let host = host.trim_end_matches('.');
    let suffixes = SUFFIXES.iter().flat_map(|(_, one, other)| [one, other]);
    suffixes.into_iter().any(|suffix| {
        let name = host.strip_suffix(suffix);
        name.is_some_and(|name| name.ends_with('.'))
    })
}

/// Regions that every account can use. All newer Regions must be enabled first (AWS Account Management
/// guide, "Regions": those introduced after March 20, 2019).
const DEFAULT_REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

impl Region {
    /// Returns whether an account must enable the Region before it can use it.
    #[must_use]
    pub fn requires_opt_in(&self) -> bool {
        self.partition() == "aws" && !DEFAULT_REGIONS.contains(&self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_aws_domains_are_aws_endpoints() {
        for (url, expected) in [
            (
                "https://vpce-0a1b2c3d-abcdefgh.ec2.eu-west-1.vpce.amazonaws.com",
                true,
            ),
            (
                "https://vpce-0a1b.ec2.cn-north-1.vpce.amazonaws.com.cn/",
                true,
            ),
            ("https://ec2.eu-west-1.api.aws:443", true),
            ("https://EC2.eusc-de-east-1.amazonaws.eu", true),
            ("http://ec2.eu-west-1.amazonaws.com", false),
            ("http://127.0.0.1:4566", false),
            ("https://ec2.amazonaws.com.example.org", false),
            ("https://notamazonaws.com", false),
            ("https://ec2.amazonaws.com@example.org", false),
            ("https://example.org/ec2.amazonaws.com", false),
        ] {
            assert_eq!(is_aws_endpoint(url), expected, "{url}");
        }
    }

    #[test]
    fn s3_endpoint_follows_partition_fips_and_dual_stack() {
        let endpoint = |region: &str, fips, dual| s3_endpoint(&Region::from(region), fips, dual);
        assert_eq!(
            endpoint("eu-west-1", false, false),
            "https://s3.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            endpoint("us-gov-west-1", true, true),
            "https://s3-fips.dualstack.us-gov-west-1.amazonaws.com"
        );
        assert_eq!(
            endpoint("cn-north-1", false, true),
            "https://s3.dualstack.cn-north-1.amazonaws.com.cn"
        );
        assert_eq!(
            endpoint("eusc-de-east-1", false, false),
            "https://s3.eusc-de-east-1.amazonaws.eu"
        );
    }
}
