"""What members hear of: happenings, by mail and by signed webhooks, as each of them chooses."""
