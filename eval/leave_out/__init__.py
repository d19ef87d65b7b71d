"""The leave-out measure: a recipe judged on whole sources that it never trained on."""
