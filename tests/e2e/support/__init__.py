"""What the acceptance tests judge with: boto3, ssh and processes, and nothing of bakeline's own."""
