"""The two parts of a model in OpenVINO."""

from typing import Any


def join_openvino(network: Any, rest: Any) -> Any:
    """Put the parts of :func:`.cut` together again; both are used up.

    Args:
        network: An ``openvino.Model``.
        rest: Another; its inputs have the names of inputs and outputs of the first.
    """
    import openvino

    sources = {
        name: result.input_value(0)
        for result in network.results
        for name in result.output(0).get_names()
    }
    for parameter in network.parameters:
        sources.update(
            dict.fromkeys(parameter.output(0).get_names(), parameter.output(0))
        )
    for parameter in rest.parameters:
        source = sources[parameter.output(0).get_any_name()]
        for target in parameter.output(0).get_target_inputs():
            target.replace_source_output(source)
    return openvino.Model(rest.results, network.parameters, rest.get_friendly_name())
