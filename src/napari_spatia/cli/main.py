"""``napari-spatia``: the verbs of the app on the command line. Each command imports what it needs when it runs."""

import typer

from napari_spatia.cli import (
    demo,
    export,
    generate,
    info,
    models,
    perturb,
    predict,
    programmes,
    simulate,
    train,
    window,
)

app = typer.Typer(
    name="napari-spatia",
    help="SPATIA on spatial transcriptomics slides: cell types, clusters, imputed genes, and cells redrawn from edited "
    "expression.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _main(
    version: bool = typer.Option(False, "--version", help="Print the version and end.", is_eager=True),
) -> None:
    if version:
        import napari_spatia

        print(napari_spatia.__version__)
        raise typer.Exit


app.command()(demo.demo)
app.command(name="open")(window.open_window)
app.command()(simulate.simulate)
app.command()(info.info)
app.command()(train.train)
app.command()(predict.predict)
app.command()(generate.generate)
app.command()(perturb.perturb)
app.command()(export.export)
app.add_typer(models.app, name="models")
app.add_typer(programmes.app, name="programmes")
