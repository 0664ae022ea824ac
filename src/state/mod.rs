//! What is generated and kept: secrets, ports, host facts.
