"""GoogLeNet's Inception with BatchNorm: ceil-mode max pools, padded average pools, factorised convolutions."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class BasicConv2d(nn.Module):
    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = nn.BatchNorm2d(out_channels, eps=0.001)

    def forward(self, x):
        x = self.conv(x)
        x = self.bn(x)
        return F.relu(x, inplace=True)


class InceptionA(nn.Module):
    def __init__(self, in_channels, pool_features, count_include_pad=True):
        super().__init__()
        self.count_include_pad = count_include_pad
        self.branch1x1 = BasicConv2d(in_channels, 16, kernel_size=1)
        self.branch5x5_1 = BasicConv2d(in_channels, 12, kernel_size=1)
        self.branch5x5_2 = BasicConv2d(12, 16, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(in_channels, 16, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(16, 24, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(24, 24, kernel_size=3, padding=1)
        self.branch_pool = BasicConv2d(in_channels, pool_features, kernel_size=1)

    def forward(self, x):
        branch1x1 = self.branch1x1(x)
        branch5x5 = self.branch5x5_2(self.branch5x5_1(x))
        branch3x3dbl = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        branch_pool = F.avg_pool2d(
            x, kernel_size=3, stride=1, padding=1, count_include_pad=self.count_include_pad
        )
        branch_pool = self.branch_pool(branch_pool)
        return torch.cat([branch1x1, branch5x5, branch3x3dbl, branch_pool], 1)


class InceptionB(nn.Module):
    def __init__(self, in_channels):
        super().__init__()
        self.branch3x3 = BasicConv2d(in_channels, 48, kernel_size=3, stride=2, padding=1)
        self.branch7x7_1 = BasicConv2d(in_channels, 16, kernel_size=1)
        self.branch7x7_2 = BasicConv2d(16, 24, kernel_size=(1, 7), padding=(0, 3))
        self.branch7x7_3 = BasicConv2d(24, 24, kernel_size=(7, 1), padding=(3, 0), stride=2)

    def forward(self, x):
        outputs = [
            self.branch3x3(x),
            self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x))),
            F.max_pool2d(x, kernel_size=3, stride=2, padding=1),
        ]
        return torch.cat(outputs, 1)


class Inception(nn.Module):
    def __init__(self, num_classes=100):
        super().__init__()
        self.conv1 = BasicConv2d(3, 24, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = BasicConv2d(24, 24, kernel_size=1)
        self.conv3 = BasicConv2d(24, 48, kernel_size=3, padding=1)
        self.lrn = nn.LocalResponseNorm(5, alpha=1e-3, beta=0.75, k=1.0)
        self.maxpool2 = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.mixed_a = InceptionA(48, 8)
        self.mixed_b = InceptionA(64, 16, count_include_pad=False)
        self.mixed_c = InceptionB(72)
        self.maxpool3 = nn.MaxPool2d(2, stride=3, padding=1, ceil_mode=True)
        self.avgpool = nn.AvgPool2d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(144, num_classes)

    def forward(self, x):
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.lrn(self.conv3(self.conv2(x))))
        x = self.mixed_b(self.mixed_a(x))
        x = self.mixed_c(x)
        x = self.maxpool3(x)
        x = self.avgpool(x)
        x = x.mean([2, 3])
        return self.fc(self.dropout(x))
