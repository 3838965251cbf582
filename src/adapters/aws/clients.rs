//! Creates the SDK clients of a Region.

use aws_config::SdkConfig;

use super::answer_check::AnswerCheck;
use super::denials::{DenialDecoder, ExplainingClient};
use crate::model::Region;

/// SDK clients of a Region.
#[derive(Clone)]
pub(super) struct Clients {
    pub(super) autoscaling: aws_sdk_autoscaling::Client,
    pub(super) denials: DenialDecoder,
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) kms: aws_sdk_kms::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
    pub(super) sts: aws_sdk_sts::Client,
    pub(super) region: Region,
}

impl Clients {
    /// Creates clients with this configuration for a Region. Sends no request.
    pub(super) fn new(config: &SdkConfig, region: &Region) -> Self {
        let config = config
            .to_builder()
            .region(aws_config::Region::new(region.to_string()))
            .build();
        let sts = aws_sdk_sts::Client::new(&config);
        let denials = DenialDecoder::new(sts.clone(), region);
        let mut ec2 = aws_sdk_ec2::config::Builder::from(&config)
            .interceptor(AnswerCheck::Xml)
            .retry_classifier(AnswerCheck::Xml);
        if let Some(http) = config.http_client() {
            ec2 = ec2.http_client(ExplainingClient::new(http, denials.clone()));
        }
        Self {
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            denials,
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            kms: aws_sdk_kms::Client::new(&config),
            ssm: aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::config::Builder::from(&config)
                    .interceptor(AnswerCheck::Json)
                    .retry_classifier(AnswerCheck::Json)
                    .build(),
            ),
            sts,
            region: region.clone(),
        }
    }
}
