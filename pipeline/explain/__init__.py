"""Why was this decided? One sentence in English and Chinese, and what is needed to draw it."""
