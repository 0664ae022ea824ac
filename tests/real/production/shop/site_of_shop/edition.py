EDITION = "first edition"
