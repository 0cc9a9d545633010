"""Operators are counted forward, backward and in updates."""

import paddle

from rocketqa.benchmark.operator_calls import count_operator_calls


def test_each_operator_counts_once():
    x = paddle.ones([2, 3])

    def work() -> None:
        paddle.matmul(x, x, transpose_y=True) + 1

    assert count_operator_calls(work) == 2
    assert count_operator_calls(lambda: None) == 0


def test_gradients_and_updates_count_too():
    parameter = paddle.create_parameter([3], "float32")
    optimizer = paddle.optimizer.SGD(0.1, parameters=[parameter])
    loss = parameter.square().sum()
    backward = count_operator_calls(loss.backward)
    assert backward >= 2
    assert count_operator_calls(optimizer.step) >= 1
