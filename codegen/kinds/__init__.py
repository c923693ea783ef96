"""Every kind of refusal, wrong request, warning and note: its number, cause, smallest example and way out."""
