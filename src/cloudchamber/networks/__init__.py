"""Networks: one family a file, plain modules of torch that read raw inputs."""
